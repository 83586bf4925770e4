"""Halor in whole runs against the facts that it is to be accepted by: notes/halor.md, section 7, 7 and 11 to 15."""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from halor_runs import SMALL, go, known

import horae
from benchmarks.alignment import FILES, PARTS, measure
from benchmarks.alignment_leak import leak
from benchmarks.alignment_people import label_table, truth
from horae.alignment import distance
from horae.census import OPERATOR, World, messages
from horae.engines import Simulation
from horae.experiment import load
from horae.types import Census

# ---------------------------------------------------------------- 7. what the operator gets to see


class Spy:
    """Looks for what clients hold in what the operator gets: all their label counts, or how many samples they have."""

    def __init__(self, held):
        self.secrets = [row for row in held.tolist() if np.count_nonzero(row) > 1]
        self.sizes = held.sum(axis=1)

    def found(self, data):
        """Which of the clients' histograms is in some bytes, in any width and order of bytes."""
        forms = ("<u2", "<u4", "<u8", ">u4", ">u8", "<f4", "<f8", "u1")
        return [row for row in self.secrets if any(np.array(row, form).tobytes() in data for form in forms)]

    def told(self, array):
        """Whether an array of a number for each client says their sizes, or a row of it a histogram."""
        rows = np.atleast_2d(array).tolist()
        return any(row in rows for row in self.secrets)


def test_fact_7_a_spy_on_a_whole_run_finds_nobodys_labels(monkeypatch, tmp_path):
    seen, count = [], World.count

    def spied(self, clients=None, drops=None, watch=None):
        def keep(sender, receiver, data):
            if receiver == OPERATOR:
                seen.append(data)
            return data

        return count(self, clients, drops, keep)

    monkeypatch.setattr(World, "count", spied)
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    people = load(SMALL).world().population
    held = label_table(people)
    spy = Spy(held)
    assert spy.found(messages.write_words(held[3].astype(np.uint64))) == [held[3].tolist()]  # it would find one
    outcomes, _, _ = go()
    kinds = Counter(messages.read(data).kind.name for data in seen)
    assert {"KEYS", "SHARES", "CARRY", "SIGNED", "OPENING"} <= set(kinds) and kinds["CARRY"] == 90  # 3 windows of 30
    assert [spy.found(data) for data in seen if spy.found(data)] == []
    for outcome in outcomes:
        assert outcome.samples.tolist() == [1] * 5
        assert len(set(outcome.steps.tolist())) == len(set(outcome.durations_s.tolist())) == 1
        columns = [getattr(outcome, f.name) for f in dataclasses.fields(outcome)]
        arrays = [column for column in columns if isinstance(column, np.ndarray)]
        assert not any(spy.told(array) for array in arrays)
        assert not any(spy.found(array.tobytes()) for array in arrays)
    horae.run(SMALL, out=tmp_path / "run", clustering="auxo")  # affinity requests and messages are in the rounds
    text = (tmp_path / "run" / "events.jsonl").read_text()
    assert not any(json.dumps(row, separators=(",", ":"))[1:-1] in text for row in spy.secrets)
    rounds = [json.loads(line) for line in text.splitlines() if '"event":"round"' in line]
    assert not any(isinstance(v, list) and len(v) == 10 for r in rounds for v in r.values())
    assert '"event":"census"' in text


def test_sizes_are_heard_where_the_server_is_to_weigh_by_them():
    outcomes, _, _ = go({"alignment.hears": "sizes", "alignment.mode": "exact"})
    assert outcomes[0].samples.tolist() == [48] * 5 and len(set(outcomes[-1].samples.tolist())) > 1


def test_steps_and_durations_tell_sizes_where_clients_train_for_epochs():
    """No secret of the census, but a size all the same: said in docs/alignment.md."""
    last = go({"alignment.mode": "exact", "training.epochs": 1, "training.batch": 1})[0][-1]
    assert len(set(last.steps.tolist())) > 1 and len(set(last.durations_s.tolist())) > 1
    assert last.samples.tolist() == [1] * 5


# ---------------------------------------------------------------- 11 to 15


@pytest.mark.parametrize("selector", ["uniform", "refl"])
def test_fact_11_the_same_participants_whatever_the_view(selector):
    people = load(SMALL).world().population
    runs = [go({"selector.name": selector, "alignment": {"name": "off"}})[0]]
    runs += [go({"selector.name": selector}, known(people, mode=mode))[0] for mode in ("waterfill", "weight")]
    invited = [[outcome.clients.tolist() for outcome in outcomes] for outcomes in runs]
    assert invited[0] == invited[1] == invited[2]


def test_fact_12_where_hours_depend_on_labels_weights_help():
    raw, weight = (measure(PARTS["D"], arm, 1) for arm in ("raw", "weight, g known"))
    assert weight["accuracy"] - raw["accuracy"] > 0.03 and weight["recall"] - raw["recall"] > 0.1


@pytest.mark.slow
def test_facts_12_and_13_over_four_seeds():
    def runs(part, arm):
        return np.array([measure(PARTS[part], arm, seed)["accuracy"] for seed in range(4)])

    for part, arm in (("D", "weight, g known"), ("D, 1,000 clients", "weight")):
        gain = runs(part, arm) - runs(part, "raw")
        assert gain.mean() >= 0.03 and (gain > 0).all(), part
    raw = runs("A", "raw")
    assert (runs("A", "weight") - raw).mean() >= -0.005 and (runs("A", "exact") - raw).mean() < 0


@pytest.mark.slow
def test_fact_14_noise_for_a_client_hardly_moves_the_total_of_a_thousand():
    """Laplace noise of ε = 1 for counts of 50 samples has a standard deviation of 50 √2 = 71."""
    changes = {"population.clients": 1000, "population.images_per_client": 62, "population.alpha": 5.0}
    experiment = load(SMALL, changes)
    world = experiment.world()
    simulation = Simulation(experiment.plan(), world, experiment.engine)
    found = simulation.ask(Census(1000, 0, 0, group=1000, sticky=False, fewest=900, clip=50, noise=71.0))
    assert found.clients.tolist() == [1000]
    noised = np.maximum(found.labels[0], 0)
    assert 0 < distance(noised / noised.sum(), truth(world.population)) < 0.02


def test_fact_15_the_last_bias_tells_a_clients_labels_and_exact_views_hide_them():
    found = leak(load(FILES / "digits-large.toml", {"population.alpha": 5.0}), 0)
    assert found["raw"] >= 0.9 and found["exact"] <= 0.5
