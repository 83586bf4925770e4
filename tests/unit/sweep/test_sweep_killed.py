"""A sweep in a process of its own, killed and stopped from outside; its runs are programs that stand for runs."""

import json
import signal
import subprocess
from pathlib import Path

import pytest
from pretended_runs import as_horae, pretended
from watched_sweeps import wait_for, written

from horae.pids import at_work, started
from horae.sweep import rows
from horae.sweep import state as states
from horae.sweep.carrying import sweep
from horae.sweep.ending import stop
from horae.sweep.finding import find


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A sweep in a process of its own, whose runs are under way."""
    monkeypatch.chdir(tmp_path)
    kinds = {"a": "slow", "b": "slow", "deaf": "deaf", "late": "fine"}
    words = ["sweep", written(kinds, 'slots = ["cpu", "cpu", "cpu"]'), "--out", "out"]
    child = subprocess.Popen(as_horae(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    wait_for(lambda: all(Path(f"out/runs/{name}/seed-0/events.jsonl").exists() for name in ("a", "b", "deaf")), 120)
    wait_for(lambda: Path("out/runs/deaf/seed-0/child").read_text())
    yield child
    child.kill()
    for story in states.read(Path("out")).stories.values():
        if story.process is not None:
            story.process.send(signal.SIGKILL, group=True)
    child.communicate()


def told():
    return {row.run.removesuffix("/seed-0"): row.state for row in rows.standing(Path("out")).rows}


def test_kill_9_leaves_nobody_behind_and_something_to_go_on_with(begun, monkeypatch):
    seen = rows.standing(Path("out"))
    assert seen.state == "running"
    assert {row.state for row in seen.rows} == {"running", "waiting"}
    begun.kill()
    begun.wait()
    wait_for(lambda: "running" not in told().values())  # they notice
    gone = rows.standing(Path("out"))
    assert gone.state == "gone"
    assert told() == {"a": "stopped", "b": "stopped", "deaf": "stopped", "late": "waiting"}
    assert {row.why for row in gone.rows} == {"its process is gone", ""}
    before = {name: Path(f"out/runs/{name}/seed-0/events.jsonl").read_text() for name in ("a", "b")}
    for name in ("a", "b", "deaf"):
        Path(f"out/runs/{name}/seed-0/mended").touch()
    pretended(monkeypatch)
    sweep(resume="out")
    assert set(told().values()) == {"done"}
    for name, text in before.items():
        assert Path(f"out/runs/{name}/seed-0/events.jsonl").read_text().startswith(text)


@pytest.mark.slow
def test_a_whole_sweep_is_stopped_and_whoever_does_not_listen_is_killed(begun):
    words = []
    found = stop(find("out"), 1.0, words.append)
    assert {one.what: one.how for one in found} == {
        "a/seed-0": "stopped", "b/seed-0": "stopped", "deaf/seed-0": "killed", "out": "stopped",
    }  # fmt: skip
    assert {one.again for one in found} == {"horae sweep --resume out"}
    assert words == ["out: its runs end their rounds; what is there after 1 s is killed"]
    _, said = begun.communicate(timeout=30)
    assert begun.returncode == 130
    assert said.decode().splitlines()[-1] == (
        "horae: stopped with 0 of 4 runs done; go on with: horae sweep --resume out"
    )
    assert told() == {"a": "stopped", "b": "stopped", "deaf": "stopped", "late": "waiting"}
    assert at_work(Path("out")) is None
    assert rows.standing(Path("out")).state == "ended"
    child = int(Path("out/runs/deaf/seed-0/child").read_text())
    wait_for(lambda: not started(child))
    assert stop(find("out"), 1.0) == []
    ends = [json.loads(line) for line in Path("out/state.jsonl").read_text().splitlines()]
    assert sum(event["event"] == "end" for event in ends) == 3
