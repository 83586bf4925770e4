"""A sweep from beginning to end, with programs that stand for runs: slots, failures, Ctrl-C, going on."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from pretended_runs import pretended
from watched_sweeps import filled, interrupted, told, wait_for, written

from horae.errors import HoraeError
from horae.files import PROCESS
from horae.pids import at_work, process
from horae.sweep import rows
from horae.sweep import state as states
from horae.sweep.carrying import sweep
from horae.sweep.ending import stop
from horae.sweep.finding import find

RUNS = {"quick": "fine", "other": "fine"}


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pretended(monkeypatch)


def seen(run, place="out"):
    """What a run was told, each time."""
    return [json.loads(line) for line in Path(place, "runs", run, "seen.jsonl").read_text().splitlines()]


class Aside:
    """A sweep in a thread, where it does not listen to Ctrl-C."""

    def __init__(self, *args, **options):
        self.found = None

        def carry_out():
            try:
                self.found = sweep(*args, **options)
            except HoraeError as error:
                self.found = error

        self.thread = threading.Thread(target=carry_out)
        self.thread.start()

    def end(self):
        self.thread.join(30)
        assert not self.thread.is_alive()
        return self.found


def test_all_are_run_each_in_a_slot_and_told_which_device(tmp_path):
    done = sweep(written({"a": "fine", "b": "fine", "c": "fine"}), out="out")
    assert told(done) == {"a/seed-0": "done", "b/seed-0": "done", "c/seed-0": "done"}
    assert (done.name, done.state, done.directory) == ("heads", "ended", Path("out"))
    assert [(row.rounds, row.accuracy, row.slot) for row in done.rows] == [(5, 0.04, "cpu")] * 3
    (first,) = seen("a/seed-0")
    assert first["words"] == [
        "run", "out/experiments/a/seed-0.toml", "--out", "out/runs/a/seed-0", "--json", "--set", "training.device=cpu",
    ]  # fmt: skip
    assert first["environment"]["OMP_NUM_THREADS"] == "1"
    assert first["environment"]["HORAE_PARENT"] == str(os.getpid())
    assert not Path("out", PROCESS).exists()
    assert json.loads(Path("out/sweep.json").read_text())["where"]["slots"] == ["cpu", "cpu"]


def test_never_more_at_once_than_slots(monkeypatch):
    sweep(written({name: "fine" for name in "abcde"}), out="out")
    running, most = 0, 0
    for line in Path("out/state.jsonl").read_text().splitlines():
        running += {"start": 1, "end": -1}.get(json.loads(line)["event"], 0)
        most = max(most, running)
    assert (running, most) == (0, 2)


def test_a_failed_run_stops_no_other_and_is_done_again(tmp_path):
    done = sweep(written({"bad": "fails", **RUNS}, 'slots = ["cpu"]'), out="out")
    assert told(done) == {"bad/seed-0": "failed", "quick/seed-0": "done", "other/seed-0": "done"}
    assert done.rows[0].why == "the clients ran away"
    Path("out/runs/bad/seed-0/mended").touch()
    again = sweep(resume="out")
    assert set(told(again).values()) == {"done"}
    assert again.rows[0].why == ""
    assert [len(seen(run.run)) for run in again.rows] == [2, 1, 1]
    assert seen("bad/seed-0")[1]["words"][:3] == ["run", "--resume", "out/runs/bad/seed-0"]


def test_a_run_that_is_killed_is_a_failure_and_the_others_go_on():
    aside = Aside(written({"long": "slow", **RUNS}), out="out")
    log = Path("out/runs/long/seed-0/events.jsonl")
    wait_for(lambda: filled("out/runs/long") and len(told(rows.standing(Path("out")))) == 3)
    os.kill(states.read(Path("out")).of("long/seed-0").process.pid, signal.SIGKILL)
    done = aside.end()
    assert told(done) == {"long/seed-0": "failed", "quick/seed-0": "done", "other/seed-0": "done"}
    assert done.rows[0].why == "killed by SIGKILL"
    before = log.read_text()
    Path("out/runs/long/seed-0/mended").touch()
    assert told(sweep(resume="out"))["long/seed-0"] == "done"
    assert log.read_text().startswith(before)  # it went on


def test_ctrl_c_ends_the_rounds_in_flight_and_resume_goes_on():
    file = written({"long": "slow", "later": "fine"}, 'slots = ["cpu"]')
    said = interrupted(file, lambda: filled("out/runs/long"), out="out")
    assert said == "stopped with 0 of 2 runs done; go on with: horae sweep --resume out"
    assert told(rows.standing(Path("out"))) == {"long/seed-0": "stopped", "later/seed-0": "waiting"}
    assert Path("out/logs/long-seed-0.txt").read_text() == "horae: stopped after the round in flight\n"
    Path("out/runs/long/seed-0/mended").touch()
    assert set(told(sweep(resume="out")).values()) == {"done"}


def test_one_run_can_be_stopped_and_the_others_go_on():
    aside = Aside(written({"long": "slow", **RUNS}, 'slots = ["cpu"]'), out="out")
    wait_for(lambda: filled("out/runs/long"))
    (ending,) = stop(find("out/runs/long/seed-0"), 20)
    assert (ending.what, ending.how, ending.why) == ("long/seed-0", "stopped", "")
    assert ending.again == "horae sweep --resume out" or ending.again.endswith("/out")
    done = aside.end()
    assert told(done) == {"long/seed-0": "stopped", "quick/seed-0": "done", "other/seed-0": "done"}
    assert stop(find("out/runs/long/seed-0"), 20) == []


def test_who_does_not_listen_is_killed_with_all_that_it_started():
    aside = Aside(written({"deaf one": "deaf", **RUNS}), out="out")
    child = Path("out/runs/deafone/seed-0/child")
    wait_for(lambda: filled("out", "child"))
    other = process(int(child.read_text()))
    assert other.alive
    (ending,) = stop(find("out/runs/deafone/seed-0"), 0.2)
    assert (ending.how, ending.fine) == ("killed", True)
    done = aside.end()
    assert told(done)["deafone/seed-0"] == "stopped"  # as was asked for, and so no failure
    wait_for(lambda: not other.alive)


def test_a_sweep_that_was_killed_is_seen_to_be_gone_and_goes_on():
    """Its directory is as a SIGKILL leaves it: a run that was begun, one that was not, and nobody there."""
    file = written({"bad": "fails", "later": "fine"}, 'slots = ["cpu"]')
    sweep(file, out="out")
    nobody = {**process(os.getpid()).table(), "started": "1"}  # whoever has that number now is somebody else
    lines = Path("out/state.jsonl").read_text().splitlines(keepends=True)
    lines = [line for line in lines if '"run":"later' not in line and '"event":"end"' not in line]
    start = json.dumps({"event": "start", "at": 5.0, "run": "bad/seed-0", "slot": "cpu", "process": nobody})
    Path("out/state.jsonl").write_text(lines[0] + start + '\n{"event":"sta')  # the power went, too
    Path("out", PROCESS).write_text(json.dumps(nobody))
    Path("out/runs/later/seed-0/summary.json").unlink()
    gone = rows.standing(Path("out"))
    assert gone.state == "gone"
    assert told(gone) == {"bad/seed-0": "stopped", "later/seed-0": "waiting"}
    assert (gone.rows[0].why, gone.rows[0].since) == ("its process is gone", 5.0)
    assert stop(find("out"), 1) == []
    Path("out/runs/bad/seed-0/mended").touch()
    assert set(told(sweep(resume="out")).values()) == {"done"}


def test_a_run_that_outlived_its_sweep_is_waited_for(capsys):
    sweep(written({"long": "fine"}), out="out")
    Path("out/runs/long/seed-0/summary.json").unlink()
    with Orphan(Path("out")) as orphan:
        assert told(rows.standing(Path("out"))) == {"long/seed-0": "running"}
        aside = Aside(resume="out")
        time.sleep(0.3)
        assert len(seen("long/seed-0")) == 1  # nothing was begun
        orphan.end()
        assert told(aside.end()) == {"long/seed-0": "done"}
    assert len(seen("long/seed-0")) == 2


class Orphan:
    """A process that is written down as the run's."""

    def __init__(self, place):
        import subprocess
        import sys

        code = "import time; time.sleep(30)"
        self.process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        table = process(self.process.pid).table()
        states.tell(place, "start", run="long/seed-0", slot="cpu", process=table)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.process.kill()
        self.process.wait()


def test_going_on_with_other_slots_and_the_same_runs():
    file = written({"bad": "fails", **RUNS}, 'slots = ["cpu"]')
    sweep(file, out="out")
    Path("out/runs/bad/seed-0/mended").touch()
    sweep(written({"bad": "fails", **RUNS}, 'slots = ["cpu", "cpu", "cpu"]'), resume="out")
    assert json.loads(Path("out/sweep.json").read_text())["where"]["slots"] == ["cpu"] * 3
    with pytest.raises(HoraeError, match=r"run should be the 3 runs this sweep began with"):
        sweep(written(RUNS), resume="out")
    other = written({"bad": "fine", **RUNS})
    with pytest.raises(HoraeError) as error:
        sweep(other, resume="out")
    assert str(error.value) == (
        "run bad: name should be 'fails' as when this sweep began, got 'fine'; start anew by --out"
    )


def test_what_was_begun_on_another_device_needs_one():
    sweep(written({"bad": "fails"}), out="out")
    text = Path("out/state.jsonl").read_text().replace('"slot":"cpu"', '"slot":"cuda:1"')
    Path("out/state.jsonl").write_text(text)
    with pytest.raises(HoraeError) as error:
        sweep(resume="out")
    assert str(error.value) == (
        "slots should have cuda, where bad/seed-0 was begun; "
        "add such a slot, or remove out/runs/bad/seed-0 to begin it anew"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "sweep should name a file, got 'nothing'; see docs/sweep.md, or go on by --resume DIR"),
        ({"resume": "none"}, "there is no sweep in none: it has no sweep.json; check the path"),
        ({"resume": "a", "out": "b"}, "--out and --resume name two places, b and a; leave --out away"),
        ({"source": "heads.toml", "jobs": 0}, "--jobs should be between 1 and 1024, got 0"),
        ({"source": "heads.toml", "out": "taken"}, "taken is not empty; choose another --out"),
        ({"source": "heads.toml", "out": "begun"}, "begun is not empty; go on with: horae sweep --resume begun"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_started(options, message):
    written(RUNS)
    for place, name in (("taken", "file"), ("begun", "sweep.json")):
        Path(place).mkdir()
        Path(place, name).write_text("{}")
    with pytest.raises(HoraeError) as error:
        sweep(**options)
    assert str(error.value) == message
    assert not any(Path().rglob("runs"))


def test_a_second_sweep_keeps_out():
    aside = Aside(written({"long": "slow"}), out="out")
    wait_for(lambda: Path("out/runs/long/seed-0/events.jsonl").exists())
    with pytest.raises(HoraeError, match="out is in use by another run"):
        sweep(resume="out")
    assert not at_work(Path("out")).gentle  # beside the main thread nothing is heard: SIGTERM would end this Python
    stop(find("out/runs/long/seed-0"), 20)
    assert told(aside.end()) == {"long/seed-0": "stopped"}


def test_secrets_reach_the_runs_and_nothing_that_is_written(monkeypatch):
    monkeypatch.setenv("LAB_TOKEN", "hunter2")
    monkeypatch.setenv("MODEL", "mlp")
    runs = (
        '[[run]]\nname = "loud"\nset = { name = "tells" }\n[[run]]\nname = "fine"\nset = { model.name = "${MODEL}" }\n'
    )
    Path("heads.toml").write_text(f'slots = ["cpu"]\n{runs}[environment]\nTOLD = "${{LAB_TOKEN}}"\n')
    done = sweep("heads.toml", out="out")
    assert done.rows[0].why == "no entry with ${LAB_TOKEN}, sorry"
    assert told(done)["fine/seed-0"] == "done"
    (heard,) = seen("fine/seed-0")
    assert heard["environment"]["TOLD"] == "hunter2"
    assert heard["words"][1] == "/dev/stdin"
    assert '"mlp"' in Path("out/runs/fine/seed-0/experiment.toml").read_text()
    for file in Path("out").rglob("*"):
        if file.is_file() and file.name != "seen.jsonl":  # where the stand-in for a run writes down all that it hears
            assert "hunter2" not in file.read_text(errors="replace"), file
    assert "${LAB_TOKEN}" in Path("out/logs/loud-seed-0.txt").read_text()
    assert "${MODEL}" in Path("out/experiments/fine/seed-0.toml").read_text()
    assert "mlp" not in json.dumps(rows.standing(Path("out")).table())


def test_a_variable_that_is_not_set_any_more_stops_before_anything_is_started(monkeypatch):
    monkeypatch.setenv("LAB_TOKEN", "hunter2")
    sweep(written({"bad": "fails"}, tail='[environment]\nTOLD = "${LAB_TOKEN}"'), out="out")
    monkeypatch.delenv("LAB_TOKEN")
    with pytest.raises(HoraeError) as error:
        sweep(resume="out")
    assert str(error.value) == (
        "environment.TOLD should name variables that are set, got ${LAB_TOKEN}; try: export LAB_TOKEN=..."
    )
    assert len(seen("bad/seed-0")) == 1
