"""Whole runs with `site.aggregation = "process"`: the same bits, and crashes that cost one round."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from crashing_rules import Moody, Noted

import horae
from horae.engines.dispatch import GONE, LATE
from horae.errors import RunError, Stopped
from horae.report.schema import fault_of_event
from horae.supervised.process import Process
from horae.supervised.supervisor import Crash, Supervisor

SMALL = {
    "name": "small", "participants": 8, "overcommit": 1.0, "budget": {"participations": 48}, "baseline": "none",
    "clustering": {"name": "oracle"}, "population": {"name": "digits-rotated", "clients": 24, "degrees": [0, 90]},
    "evaluation": {"every": 6}, "availability": {"name": "always"}, "algorithm": {"name": "fedyogi"},
}  # fmt: skip
ONE = {**SMALL, "clustering": {"name": "single"}, "algorithm": {"name": "fedavg"}, "budget": {"participations": 24}}
APART = {"site.aggregation": "process"}


@pytest.fixture(autouse=True, scope="module")
def no_reports():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("horae.report.html.write_report", lambda directory: None)
        yield


def events(result, kind=None):
    found = [json.loads(line) for line in (result.directory / "events.jsonl").read_text().splitlines()]
    assert all(fault_of_event(event) is None for event in found)
    return [event for event in found if kind in (None, event["event"])]


def same(one, other):
    """The same cohorts and the same events, to the bit."""
    assert one.models.keys() == other.models.keys()
    for path, params in one.models.items():
        assert params.tobytes() == other.models[path].tobytes()
    mine, theirs = ((r.directory / "events.jsonl").read_bytes() for r in (one, other))
    assert mine == theirs


@pytest.fixture(scope="module")
def here(tmp_path_factory, no_reports):
    return horae.run({**SMALL, "aggregation": {"name": "median"}}, out=tmp_path_factory.mktemp("here") / "run")


def test_the_bits_are_those_of_the_loop_also_after_a_stop(here, tmp_path):
    left = iter([False] * 5 + [True])
    with pytest.raises(Stopped):
        horae.run(
            {**SMALL, "aggregation": {"name": "median"}}, out=tmp_path / "run", changes=APART, stop=lambda: next(left)
        )
    assert 'aggregation = "process"' in (tmp_path / "run" / "experiment.toml").read_text()
    same(horae.run(resume=tmp_path / "run"), here)


def test_states_that_change_outside_of_the_step_are_sent_again(tmp_path):
    """Pruning changes the model after the step, and SCAFFOLD's control variate goes with the round."""
    table = {**ONE, "algorithm": {"name": "scaffold"}, "pruning": {"name": "magnitude"}}
    same(
        *(horae.run(table, out=tmp_path / where, changes={"site.aggregation": where}) for where in ("here", "process"))
    )


@pytest.mark.parametrize("plane", ["inline", "shm"])
def test_updates_on_a_data_plane_are_added_up_as_by_the_loop(plane, tmp_path):
    table = {**ONE, "channels": [{"name": "int8"}]}
    runs = [
        horae.run(table, out=tmp_path / where, executor="inline", data_plane=plane, changes={"site.aggregation": where})
        for where in ("here", "process")
    ]
    assert runs[0].models[()].tobytes() == runs[1].models[()].tobytes()
    assert runs[0].accuracy == runs[1].accuracy and events(runs[1], "failure") == []


class Kills:
    """Kills the second cohort's aggregator after some rounds."""

    def __init__(self, monkeypatch, after):
        self.supervisors, self.pids, self.left = [], [], after
        step = Supervisor.step

        def noted(supervisor, cohort, outcome):
            self.left -= 1
            if self.left == 0:
                self.pids += [leaf.home.pid for leaf in supervisor.leaves.values()]
                os.kill(supervisor.leaves[(1,)].home.pid, signal.SIGKILL)
            found = step(supervisor, cohort, outcome)
            self.pids += [leaf.home.pid for leaf in supervisor.leaves.values()]
            return found

        monkeypatch.setattr(Supervisor, "step", noted)


def gone(pid, seconds=20):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_a_killed_aggregator_costs_its_cohort_one_round_and_its_sibling_none(here, tmp_path, monkeypatch):
    kills = Kills(monkeypatch, after=4)
    hurt = horae.run({**SMALL, "aggregation": {"name": "median"}}, out=tmp_path / "hurt", changes=APART)
    (told,) = events(hurt, "failure")
    assert (told["aggregator"], told["cohort"], told["kind"]) == ("0.1", "0.1", GONE)
    assert told["why"] == "cohort 0.1: its process was ended by signal 9 (Killed); its round is lost and begun again"

    def numbers(result, cohort):
        return [event["number"] for event in events(result, "round") if event["cohort"] == cohort]

    assert numbers(hurt, "0.0") == numbers(here, "0.0")
    assert hurt.models[(0,)].tobytes() == here.models[(0,)].tobytes()
    lost = numbers(hurt, "0.1")
    assert sorted(set(lost)) == list(range(max(lost) + 1)) and lost.count(told["number"]) == 2
    assert hurt.participations == here.participations == 48  # the round that was lost has been paid for
    assert len(set(kills.pids)) == 3 and all(gone(pid) for pid in kills.pids)


def test_a_rule_that_raises_once_costs_one_round_and_one_process(tmp_path):
    result = horae.run(
        SMALL, out=tmp_path / "run", algorithm=Noted(), aggregation=Moody(str(tmp_path / "calls"), (3,)), changes=APART
    )
    (told,) = events(result, "failure")
    assert told["kind"] == "ArithmeticError" and "a nan in a haystack" in told["why"]
    states = {cohort.path: cohort.algorithm for cohort in result.tree.leaves()}
    hurt = tuple(map(int, told["cohort"].split(".")[1:]))
    assert {path: len(set(state["pids"])) for path, state in states.items()} == {(0,): 1, (1,): 1, hurt: 2}
    assert os.getpid() not in {pid for state in states.values() for pid in state["pids"]}
    assert all(state["rounds"] == list(range(len(state["rounds"]))) for state in states.values())


@pytest.mark.parametrize(("what", "why"), [("raise", "ArithmeticError: a nan in a hay"), ("exit", "status 3")])
def test_a_rule_that_always_crashes_ends_the_run_in_one_line(what, why, tmp_path):
    rule = Moody(str(tmp_path / "calls"), (), what)
    with pytest.raises(RunError, match=f"cohort 0 crashed 3 times in a row .*{why}") as caught:
        horae.run(ONE, out=tmp_path / "run", aggregation=rule, changes=APART)
    assert "\n" not in str(caught.value) and (tmp_path / "calls").stat().st_size == 3


def test_a_process_that_does_not_answer_in_time_is_a_crash():
    home = Process()
    try:
        assert b"Failed" in home.ask(b"nothing that was packed", 60)
        os.kill(home.pid, signal.SIGSTOP)
        with pytest.raises(Crash, match=r"no answer within site.timeout_s = 0.2 s") as caught:
            home.ask(bytes(2**22), 0.2)
        assert caught.value.kind == LATE
    finally:
        home.end()
    assert gone(home.pid)


def test_aggregators_end_with_the_process_that_began_them():
    code = (
        "import os, signal; from horae.supervised.process import Process\n"
        "home = Process(); home.ask(b'', 60); print(home.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True, text=True)
    out, _ = parent.communicate(timeout=120)
    assert parent.returncode == -signal.SIGKILL and gone(int(out))


def test_an_aggregator_imports_no_torch():
    code = "import sys, horae.supervised.child; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "False\n"
