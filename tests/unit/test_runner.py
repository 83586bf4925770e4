"""horae.run from Python."""

import json

import numpy as np
import pytest
from torch import nn

import horae
from horae.clustering import Auxo
from horae.errors import ConfigError, DataError, RunError
from horae.federate import Budget
from horae.population import Population

N, SIZE = 12, 20
SHORT = {"participants": 4, "budget": {"participations": 40}, "evaluation": {"every": 2}}


def people():
    """Twelve clients: the first six see the label in the first number's sign, the others its opposite."""
    rng = np.random.default_rng(0)
    clients = []
    for i in range(N):
        x = rng.normal(size=(SIZE, 3))
        clients.append((x, ((x[:, 0] > 0) ^ (i >= 6)).astype(int)))
    return Population.from_arrays(clients, groups=[0] * 6 + [1] * 6, name="signs")


def run(tmp_path, folder="run", **fields):
    module = nn.Linear(3, 2)
    nn.init.zeros_(module.weight)
    nn.init.zeros_(module.bias)
    return horae.run(
        {**SHORT, "availability": {"name": "always"}},
        out=tmp_path / folder,
        **{"population": people(), "model": module, **fields},
    )


def rounds(directory):
    events = map(json.loads, (directory / "events.jsonl").read_text().splitlines())
    return [event for event in events if event["event"] == "round"]


def test_own_clients_and_own_model(tmp_path):
    result = run(tmp_path, clustering="single", seed=3)
    assert (result.clustering, result.seed, result.cohorts, result.participations) == ("single", 3, 1, 40)
    assert result.rounds == 10
    assert result.baseline is None  # single against single would be no comparison
    assert set(result.models) == {()}
    assert result.models[()].shape == (8,)  # 2 x 3 weights, 2 biases
    assert result.models[()].any()
    assert 0.3 < result.accuracy < 0.7  # half of them are contradicted
    assert result.bytes_up == 40 * 8 * 4
    table = (result.directory / "experiment.toml").read_text()
    assert 'what = "signs: 12 clients given from Python"' in table
    assert 'what = "Linear given from Python"' in table
    with pytest.raises(AttributeError, match="a result has no 'acuracy'; it has accuracy, "):
        _ = result.acuracy


def test_the_oracle_serves_each_planted_group_its_own_model(tmp_path):
    result = run(tmp_path, clustering="oracle", budget=Budget(participations=400))
    assert set(result.models) == {(0,), (1,)}
    assert result.adjusted_rand_index == 1.0
    assert result.accuracy > 0.85
    assert result.baseline is not None
    assert result.gain == result.accuracy - result.baseline.summary["accuracy"] > 0.2
    # weights of the first number, for the two labels: opposite signs in the two cohorts
    slope = {path: params[3] - params[0] for path, params in result.models.items()}
    assert slope[(0,)] > 0.5
    assert slope[(1,)] < -0.5


def test_curves_are_the_scores_by_column(tmp_path):
    result = run(tmp_path, clustering="single")
    curves = result.curves
    assert set(curves) == {"at_s", "participations", "nbytes", "accuracy", "worst10", "best10", "cohorts"}
    # a score at 0, 8, 16, 24, 32 (every 2 rounds of 4) and at the end, 40
    assert curves["participations"].tolist() == [0, 8, 16, 24, 32, 40]
    assert all(column.shape == (6,) for column in curves.values())
    assert (np.diff(curves["at_s"]) > 0).all()
    assert curves["accuracy"][-1] == result.accuracy
    assert curves["nbytes"][-1] == result.bytes_up + result.bytes_down
    assert curves["cohorts"].tolist() == [1] * 6


def test_the_baseline_has_the_same_clients_budget_and_start(tmp_path):
    result = run(tmp_path)
    mine, other = rounds(tmp_path / "run"), rounds(tmp_path / "run" / "baseline")
    assert result.summary["clustering"] == "auxo"
    assert result.summary["baseline"]["clustering"] == "single"
    assert [r["clients"] for r in mine] == [r["clients"] for r in other]
    assert [r["at_s"] for r in mine] == [r["at_s"] for r in other]
    assert result.scores[0] == result.baseline.scores[0]
    assert result.scores[0]["event"] == "score"


def test_on_alike_clients_auxo_is_single_bit_for_bit(tmp_path):
    table = {
        "name": "iid", "participants": 10, "budget": {"participations": 300},
        "population": {"name": "digits-iid", "clients": 60},
    }  # fmt: skip
    result = horae.run(table, out=tmp_path / "run")
    verdicts = (tmp_path / "run" / "events.jsonl").read_text().count('"event":"verdict"')
    assert verdicts > 0  # it did look
    assert result.splits == []
    np.testing.assert_array_equal(result.tree[()].params, result.baseline.tree[()].params)
    assert len(result.scores) == len(result.baseline.scores)
    for mine, other in zip(result.scores, result.baseline.scores, strict=True):
        for field in ("at_s", "accuracy", "worst10", "best10", "variance", "loss"):
            assert mine[field] == other[field]
    assert result.gain == 0


def test_running_twice_works_and_gives_the_same(tmp_path):
    one, two = run(tmp_path, "one"), run(tmp_path, "two")
    np.testing.assert_array_equal(one.models[()], two.models[()])
    assert (tmp_path / "one" / "events.jsonl").read_bytes() == (tmp_path / "two" / "events.jsonl").read_bytes()
    other = run(tmp_path, "other", seed=9)
    assert not np.array_equal(one.models[()], other.models[()])


def test_the_callers_module_is_left_alone(tmp_path):
    module = nn.Linear(3, 2)
    before = [p.detach().clone() for p in module.parameters()]
    run(tmp_path, model=module, clustering="single")
    assert all((a == b).all() for a, b in zip(before, module.parameters(), strict=True))


def test_without_a_directory_it_finds_one_that_is_free(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = {**SHORT, "availability": {"name": "always"}, "name": "mine", "baseline": "none"}
    directories = [horae.run(table, population=people()).directory for _ in range(2)]
    assert directories[0] != directories[1]
    assert all(d.parts[0] == "runs" and d.name.startswith("mine-") for d in directories)


def test_fields_are_values_names_tables_and_objects(tmp_path):
    result = run(
        tmp_path,
        participants=5,
        algorithm="fedyogi",
        training={"lr": 0.01},
        clustering=Auxo(gamma=0.7),
        baseline="none",
    )
    table = (result.directory / "experiment.toml").read_text()
    for line in ("participants = 5", 'name = "fedyogi"', "lr = 0.01", "gamma = 0.7"):
        assert f"\n{line}\n" in table
    assert result.baseline is None


def test_mistakes_are_refused_before_anything_is_written(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(ConfigError, match="the experiment has no 'sed'; did you mean 'seed'"):
        horae.run(SHORT, out=out, sed=3)
    with pytest.raises(ConfigError, match="participants should be <= 12 clients, got 13"):
        run(tmp_path, participants=13)
    with pytest.raises(DataError, match="one"):
        Population.from_arrays([])
    assert not out.exists()
    out.mkdir()
    (out / "notes").write_text("mine")
    with pytest.raises(RunError, match="is not empty; choose another --out"):
        run(tmp_path)
    assert [f.name for f in out.iterdir()] == ["notes"]


def test_what_is_shown_to_a_watcher_changes_nothing(tmp_path):
    class Watcher:
        def __init__(self):
            self.looks, self.means = [], []

        def say(self, words):
            raise AssertionError(words)

        def score(self, score):
            self.means.append(score.mean)

        def look(self, standing, engine, *, over):
            self.looks.append((standing.ledger.participations, over))

    watchers = {}

    def watch(name, experiment):
        return watchers.setdefault(name, Watcher())

    watched, alone = run(tmp_path, "watched", watch=watch), run(tmp_path, "alone")
    assert set(watchers) == {"auxo", "single"}
    assert watchers["auxo"].looks == [(4 * i, i == 10) for i in range(11)]
    assert watchers["auxo"].means == [score["accuracy"] for score in watched.scores]
    np.testing.assert_array_equal(watched.models[()], alone.models[()])


def test_a_population_lends_its_name_to_a_run_without_one(tmp_path):
    assert run(tmp_path, "unnamed", clustering="single").name == "signs"
    assert run(tmp_path, "said", clustering="single", name="mine").name == "mine"
