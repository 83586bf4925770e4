"""Cohorts aggregated by real Ray actors: the loop's bits, and an actor that is killed costs its cohort one round."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

import horae
from horae.engines.dispatch import GONE
from horae.errors import RunError
from horae.report.schema import fault_of_event
from horae.supervised.supervisor import Supervisor

pytestmark = pytest.mark.services
ray = pytest.importorskip("ray")

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "supervised"))

from crashing_rules import Moody, Noted  # noqa: E402

SMALL = {
    "name": "small", "participants": 8, "overcommit": 1.0, "budget": {"participations": 48}, "baseline": "none",
    "clustering": {"name": "oracle"}, "population": {"name": "digits-rotated", "clients": 24, "degrees": [0, 90]},
    "evaluation": {"every": 6}, "availability": {"name": "always"}, "algorithm": {"name": "fedyogi"},
}  # fmt: skip
ONE = {**SMALL, "clustering": {"name": "single"}, "algorithm": {"name": "fedavg"}, "budget": {"participations": 24}}
APART = {"site.aggregation": "ray"}


def events(result, kind):
    found = [json.loads(line) for line in (result.directory / "events.jsonl").read_text().splitlines()]
    assert all(fault_of_event(event) is None for event in found)
    return [event for event in found if event["event"] == kind]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return horae.run(SMALL, out=tmp_path_factory.mktemp("here") / "run")


def test_the_bits_are_those_of_the_loop(here, tmp_path):
    apart = horae.run(SMALL, out=tmp_path / "run", changes=APART)
    assert apart.models.keys() == here.models.keys() and len(here.models) == 2
    assert all(apart.models[path].tobytes() == params.tobytes() for path, params in here.models.items())
    logs = [(result.directory / "events.jsonl").read_bytes() for result in (here, apart)]
    assert logs[0] == logs[1] and not ray.is_initialized()


def test_a_killed_actor_costs_its_cohort_one_round_and_its_sibling_none(tmp_path, monkeypatch):
    """`Noted` tells in whose process each step was taken: the third step's is killed while the cohort waits."""
    step, killed = Supervisor.step, []

    def watched(supervisor, cohort, outcome):
        if cohort.path == (1,) and cohort.round == 2 and not killed:
            killed.append(cohort.algorithm["pids"][-1])
            os.kill(killed[0], signal.SIGKILL)
        return step(supervisor, cohort, outcome)

    monkeypatch.setattr(Supervisor, "step", watched)
    calm = horae.run(SMALL, out=tmp_path / "calm", algorithm=Noted())  # in the loop: nobody is supervised
    hurt = horae.run(SMALL, out=tmp_path / "hurt", algorithm=Noted(), changes=APART)
    (told,) = events(hurt, "failure")
    assert (told["aggregator"], told["number"], told["kind"]) == ("0.1", 2, GONE) and "Died" in told["why"]
    assert hurt.models[(0,)].tobytes() == calm.models[(0,)].tobytes()
    states = {cohort.path: cohort.algorithm for cohort in hurt.tree.leaves()}
    assert {path: len(set(state["pids"])) for path, state in states.items()} == {(0,): 1, (1,): 2}
    assert states[(1,)]["pids"][1] == killed[0] != states[(1,)]["pids"][2]
    assert all(state["rounds"] == list(range(len(state["rounds"]))) for state in states.values())


def test_a_rule_that_always_raises_ends_the_run_in_one_line(tmp_path):
    rule = Moody(str(tmp_path / "calls"))
    with pytest.raises(RunError, match=r"cohort 0 crashed 3 times in a row .ArithmeticError: a nan in a haystack"):
        horae.run(ONE, out=tmp_path / "run", aggregation=rule, changes=APART)
    assert (tmp_path / "calls").stat().st_size == 3 and not ray.is_initialized()


def test_actors_and_tasks_share_one_ray(tmp_path):
    plane = {"name": "shm", "directory": str(tmp_path / "store")}
    apart = horae.run({**ONE, "data_plane": plane}, out=tmp_path / "run", executor="ray", workers=2, changes=APART)
    near = horae.run(ONE, out=tmp_path / "near", executor="inline")
    assert apart.models[()].tobytes() == near.models[()].tobytes()
    assert events(apart, "failure") == [] and list((tmp_path / "store").iterdir()) == []
    assert not ray.is_initialized()
