"""The estimate of `--dry-run`: what it is made of, what it leaves, what it refuses."""

import json
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from horae.cli import app
from horae.cli.dry import lasting, words
from horae.errors import ConfigError, HoraeError, RunError
from horae.estimate import _Enough, _extrapolated, _last, _scores, estimate, peak_bytes
from horae.experiment import load
from horae.federate import Standing
from horae.ledger import Ledger

SMALL = {"budget.participations": 60, "population.clients": 30, "participants": 6}
SET = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]


def test_what_is_printed_is_the_experiment_and_can_be_read_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["run", *SET, "--dry-run"])
    assert done.exit_code == 0, done.exception
    assert load(tomllib.loads(done.stdout)).table() == load(None, SMALL).table()
    comments = [line for line in done.stdout.splitlines() if line.startswith("#")]
    assert comments[0].startswith("# estimate: about ") and "MiB of memory" in comments[0]
    assert [line.split()[1] for line in comments[1:3]] == ["auxo:", "single:"]
    assert [*tmp_path.iterdir()] == []


def test_json_has_both_and_the_whole_is_the_sum_of_its_parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = json.loads(CliRunner().invoke(app, ["run", *SET, "--dry-run", "--json"]).stdout)
    assert table["experiment"]["participants"] == 6
    found = table["estimate"]
    parts = found["set_up_s"] + found["report_s"] + sum(arm["seconds"] for arm in found["arms"])
    assert found["seconds"] == pytest.approx(parts, abs=0.3)
    assert [arm["clustering"] for arm in found["arms"]] == ["auxo", "single"]
    assert all(arm["rounds"] >= 3 and arm["per_participation_s"] > 0 for arm in found["arms"])
    assert found["memory_bytes"] > 50 * 2**20
    assert [*tmp_path.iterdir()] == []


def test_an_arm_alone_where_nothing_is_compared():
    found = estimate(load(None, {**SMALL, "baseline": "none"}))
    assert found is not None and [arm.clustering for arm in found.arms] == ["auxo"]


def test_mistakes_are_those_of_the_run(tmp_path):
    (tmp_path / "mine").write_text("here")

    def refused(*args):
        done = CliRunner().invoke(app, ["run", *args, "--dry-run"])
        assert isinstance(done.exception, HoraeError) and done.stdout == ""
        return done.exception

    assert str(refused("--set", "participants=0")) == "participants should be >= 1, got 0"
    assert "participants should be <= 30 clients" in str(refused(*SET, "--set", "participants=31"))
    taken = refused(*SET, "--out", str(tmp_path))
    assert isinstance(taken, RunError) and "is not empty; choose another --out" in str(taken)
    both = refused("--resume", str(tmp_path))
    assert isinstance(both, ConfigError) and "leave one of the two out" in str(both)


def test_workers_of_others_are_not_started():
    assert estimate(load(None, {**SMALL, "site.executor": "thread"})) is None
    assert words(None) == ["estimate: none for [site], whose workers are not started for a dry run"]


def test_seconds_for_the_whole_budget_by_hand(monkeypatch):
    enough = _Enough(SimpleNamespace())
    # 2 s before the first round; the first round warms up; then a tenth of the budget takes 3 s
    enough.marks = [(2.0, 0.0, 0), (9.0, 0.1, 10), (10.5, 0.15, 15), (12.0, 0.2, 20)]
    assert enough.rate == (2.0, pytest.approx(30.0))
    enough.marks = enough.marks[:2]  # only one round: 7 s for a tenth
    assert enough.rate == (2.0, pytest.approx(70.0))


def test_a_score_is_timed_once_and_taken_off(monkeypatch):
    clock = iter([100.0, 106.0, 110.0, 116.0])
    monkeypatch.setattr("horae.estimate.time.perf_counter", lambda: next(clock))
    evaluator = SimpleNamespace(sample=0, some=lambda most: np.arange(3), score=lambda *_: None)
    enough = _Enough(evaluator)  # at 100
    enough.score(None)  # the run's own first score
    standing = Standing(None, ledger=Ledger(), spent=0.0)
    enough.look(standing, None, over=False)  # at 106; a score of its own ends at 110
    assert enough.scoring_s == 4.0
    enough.look(standing, None, over=False)  # at 116: 16 s, less the run's score and its own, 4 s each
    assert [mark[0] for mark in enough.marks] == [2.0, 8.0]


def test_scores_and_single_clients_by_hand():
    experiment = load(None, {**SMALL, "evaluation.every": 2})
    world = SimpleNamespace(population=SimpleNamespace(clients=30), trainer=SimpleNamespace(n_params=650))
    assert _scores(experiment, 60) == 6  # at the beginning and after each 12 of 60 participations
    assert _last(world, experiment) == 1
    # 60 x 2 s of training, 6 scores and the last of 30 clients at 0.1 s
    assert _extrapolated(experiment, world, 2.0, 0.1).seconds == pytest.approx(120 + 6 * 3 + 3)
    timed = load(None, {"budget.simulated_s": 1000.0})
    assert _extrapolated(timed, world, 2.0, 0.1).seconds is None


def test_a_long_round_is_not_carried_out(monkeypatch):
    monkeypatch.setattr("horae.estimate.SLOW_S", 0.0)
    found = estimate(load(None, SMALL))
    assert found is not None and [arm.rounds for arm in found.arms] == [0, 0]
    assert words(found)[1].endswith("from a handful of clients")


def test_memory_and_words():
    assert 10 * 2**20 < peak_bytes() < 2**40
    assert [lasting(s) for s in (0.31, 42, 150, 9000)] == ["0.3 s", "42 s", "2.5 min", "2.5 h"]
