"""Every selector in whole runs: with and without cohorts, stopped and resumed, at any scale."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import horae
from horae.engines import Simulation
from horae.errors import Stopped
from horae.experiment import load
from horae.federate import federate
from horae.selectors import SELECTORS, Refl

SMALL = {
    "participants": 8, "budget": {"participations": 88}, "baseline": "none", "evaluation": {"every": 50},
    "population": {"name": "digits-rotated", "clients": 60}, "availability": {"name": "synthetic", "mean": 0.5},
    "devices": {"name": "synthetic", "ms_per_sample": 3000.0}, "cost": {"name": "fedscale"}, "overcommit": 1.5,
}  # fmt: skip
FORCED = {"at": [5], "k": 2, "min_participants": 2}
LEARNED = [name for name in SELECTORS if name != "uniform"]


@pytest.fixture(autouse=True)
def no_reports(monkeypatch):
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)


class After:
    def __init__(self, rounds):
        self.left = rounds

    def __call__(self):
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize("clustering", ["auxo", "oracle"])
def test_stopped_and_resumed_is_the_same_as_never_stopped(name, clustering, tmp_path):
    table = {**SMALL, "selector": {"name": name}, "clustering": {"name": clustering}}
    if name == "refl":
        table["algorithm"] = {"name": "saa"}
    if clustering == "auxo":
        table["clustering"] |= FORCED
    whole = horae.run(table, out=tmp_path / "whole")
    with pytest.raises(Stopped):
        horae.run(table, out=tmp_path / "run", stop=After(9))
    horae.run(resume=tmp_path / "run")
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == (tmp_path / "whole" / "events.jsonl").read_bytes()
    assert whole.cohorts > 1


class Silent:
    def round(self, *_):
        pass


@pytest.mark.parametrize("name", ["oort", "pyramidfl", "refl"])
def test_of_ten_million_only_those_met_are_remembered(name):
    table = {
        **SMALL, "selector": {"name": name}, "clustering": {"name": "single"}, "budget": {"participations": 40},
        "population": {"name": "virtual", "clients": 10_000_000},
    }  # fmt: skip
    experiment = load(table)
    plan, world = experiment.plan(), experiment.world()
    engine = Simulation(plan, world, experiment.engine)
    end = federate(plan, (world.trainer.initial_params, world.trainer.initial_buffers), engine, Silent())
    (leaf,) = end.tree.leaves()
    state = getattr(leaf.selector, "arms", leaf.selector)
    assert 8 <= state.met.clients.size <= 12 * state.round  # 12 are invited to a round


def test_late_replies_are_used_and_children_inherit_what_is_known(tmp_path):
    table = {**SMALL, "selector": {"name": "refl"}, "clustering": {"name": "auxo", **FORCED}}
    result = horae.run(table, out=tmp_path / "run")
    one, other = result.tree.leaves()[:2]
    shared = np.intersect1d(one.selector.met.clients, other.selector.met.clients)
    assert shared.size > 0
    assert one.selector.met.clients.size != other.selector.met.clients.size or one.selector.mu_s != other.selector.mu_s


def test_a_selector_is_told_when_its_round_will_open():
    told = []

    @dataclass(frozen=True)
    class Watch(Refl):
        def pick_staying(self, state, candidates, n, now_s, rng, stays):
            told.append(now_s)
            return super().pick_staying(state, candidates, n, now_s, rng, stays)

    class Opened(Silent):
        def round(self, outcome, *_):
            opened.append(outcome.started_s)

    opened = []
    experiment = load({**SMALL, "clustering": {"name": "single"}, "budget": {"participations": 30}})
    plan, world = replace(experiment.plan(), selector=Watch()), experiment.world()
    start = (world.trainer.initial_params, world.trainer.initial_buffers)
    federate(plan, start, Simulation(plan, world, experiment.engine), Opened())
    assert told == opened
    assert len(told) >= 3
