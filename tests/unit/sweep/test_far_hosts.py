"""Runs on another host. The ssh is a script that writes down what it was told and does it here, as sshd would."""

import json
import os
import shlex
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from pretended_runs import FAKE, fake_ssh, pretended
from watched_sweeps import filled, interrupted, told, wait_for, written

from horae.errors import HoraeError
from horae.pids import started
from horae.sweep import plan as plans
from horae.sweep import remote, rows
from horae.sweep import state as states
from horae.sweep.carrying import sweep
from horae.sweep.child import Line
from horae.sweep.ending import stop
from horae.sweep.finding import Target
from horae.sweep.slots import Host
from horae.sweep.variables import Mask

ODD = 'it\'s $HOME "there" `here`; ü'


@pytest.fixture(autouse=True)
def ssh(tmp_path, monkeypatch):
    """What ssh was told, each time."""
    monkeypatch.chdir(tmp_path)
    told = fake_ssh(tmp_path, monkeypatch)
    monkeypatch.setenv("LAB_TOKEN", "hunter2")
    (tmp_path / ODD).mkdir()
    return told


def on_lab(tmp_path, runs, slots='["lab:cpu"]', address="me@lab"):
    """A sweep's file with slots on another host, and a secret that its runs get."""
    horae = json.dumps(shlex.join([sys.executable, str(FAKE)]))
    host = f'[hosts.lab]\nssh = "{address}"\ndirectory = {json.dumps(str(tmp_path / ODD))}\nhorae = {horae}\n'
    return written(runs, f"slots = {slots}", f'{host}[environment]\nTOLD = "${{LAB_TOKEN}}"')


def there(tmp_path):
    """Where runs lie on the other host."""
    (place,) = (tmp_path / ODD / "sweeps").iterdir()
    return place / "runs"


def test_a_run_there_comes_back_whole_and_nobody_reads_the_secret(tmp_path, ssh):
    done = sweep(on_lab(tmp_path, {"a": "fine", "b": "fails"}), out="out")
    assert told(done) == {"a/seed-0": "done", "b/seed-0": "failed"}
    assert [(row.slot, row.rounds, row.accuracy) for row in done.rows] == [
        ("lab:cpu", 5, 0.04),
        ("lab:cpu", None, None),
    ]
    here, place = Path("out/runs/a/seed-0"), there(tmp_path) / "a" / "seed-0"
    assert done.rows[1].why.startswith("the clients ran away; in lab:" + str(tmp_path / ODD))
    assert (here / "events.jsonl").read_bytes() == (place / "events.jsonl").read_bytes()
    assert (place / "checkpoints").is_dir()
    assert not (here / "checkpoints").exists()  # it is needed there only, if at all
    (heard,) = [json.loads(line) for line in (place / "seen.jsonl").read_text().splitlines()]
    tag = there(tmp_path).parent.name
    assert heard["words"] == [
        "run", "/dev/stdin", "--out", f"sweeps/{tag}/runs/a/seed-0", "--set", "training.device=cpu", "--json",
    ]  # fmt: skip
    assert heard["cwd"] == str(tmp_path / ODD)
    assert heard["environment"]["TOLD"] == "hunter2"
    assert heard["environment"]["OMP_NUM_THREADS"] == "1"
    assert len(ssh()) == 3  # two runs, and one to bring the files
    for words in ssh():
        assert words[:9] == ["-T", *(w for o in remote.OPTIONS for w in ("-o", o))]
        assert (words[9:11], len(words)) == (["--", "me@lab"], 12)
        assert "hunter2" not in words[11] and str(tmp_path) not in words[11]
    kept = [file for file in Path("out").rglob("*") if file.is_file() and file.name != "seen.jsonl"]
    assert not [file for file in kept if "hunter2" in file.read_text(errors="replace")]


def test_strangers_are_not_spoken_to_and_nothing_is_asked():
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes"} <= set(remote.OPTIONS)


def test_runs_go_round_both_machines(tmp_path, monkeypatch):
    pretended(monkeypatch)
    done = sweep(on_lab(tmp_path, {name: "fine" for name in "abcd"}, '["cpu", "lab:cpu"]'), out="out")
    assert set(told(done).values()) == {"done"}
    assert {row.slot for row in done.rows} == {"cpu", "lab:cpu"}


def test_ctrl_c_goes_over_the_line_and_resume_goes_on_there(tmp_path):
    interrupted(on_lab(tmp_path, {"long": "slow"}), lambda: filled(tmp_path / ODD), out="out")
    (row,) = rows.standing(Path("out")).rows
    assert (row.state, row.rounds) == ("stopped", None)
    assert row.why == f"in lab:{there(tmp_path)}/long/seed-0"
    log = filled(tmp_path / ODD)
    before = log.read_text()
    (there(tmp_path) / "long" / "seed-0" / "mended").touch()
    assert told(sweep(resume="out")) == {"long/seed-0": "done"}
    assert log.read_text().startswith(before)


def stopped_meanwhile(tmp_path, kind, wait_s):
    """Stop a run of this kind there, while a sweep has it; what the stop found, and the sweep."""
    file, found = on_lab(tmp_path, {"long": kind}), []
    ready = "child" if kind == "deaf" else "events.jsonl"

    def end():
        wait_for(lambda: filled(tmp_path / ODD, ready))
        found.extend(stop([Target(Path("out"), plans.read(Path("out")).runs[0])], wait_s))

    thread = threading.Thread(target=end)
    thread.start()
    done = sweep(file, out="out")
    thread.join()
    return found, done


def test_one_run_there_can_be_stopped(tmp_path, ssh):
    (ending,), done = stopped_meanwhile(tmp_path, "slow", 20)
    assert (ending.what, ending.how, ending.why) == ("long/seed-0", "stopped", "")
    assert told(done) == {"long/seed-0": "stopped"}
    assert len(ssh()) == 2  # the run, and the stop


def test_who_does_not_listen_there_is_killed_there(tmp_path):
    (ending,), done = stopped_meanwhile(tmp_path, "deaf", 0.3)
    assert (ending.how, ending.fine) == ("killed", True)
    assert told(done) == {"long/seed-0": "stopped"}
    child = int(next((tmp_path / ODD).rglob("child")).read_text())
    wait_for(lambda: not started(child))


def test_a_line_that_breaks_ends_the_run_there(tmp_path):
    """The sweep's end of the line is closed, as when its process is killed."""
    host = Host("me@lab", str(tmp_path / ODD), shlex.join([sys.executable, str(FAKE)]))
    script = remote.run_script(host, "sweeps/x/runs/long/seed-0", 'name = "slow"\n', [], {})
    reading, writing = os.pipe()
    pid = os.posix_spawn(
        Path("bin/ssh"), remote.command(host, script), os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0), (os.POSIX_SPAWN_CLOSE, writing)],
    )  # fmt: skip
    os.close(reading)
    os.write(writing, script.encode())
    wait_for(lambda: filled(tmp_path / ODD))
    os.close(writing)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130


@pytest.mark.parametrize(("kind", "how"), [("slow", "stopped"), ("deaf", "killed")])
def test_the_second_signal_kills_there(tmp_path, kind, how):
    """The line by itself: stop, and kill where nobody listens."""
    host = Host("me@lab", str(tmp_path / ODD), shlex.join([sys.executable, str(FAKE)]))
    script = remote.run_script(host, "sweeps/x/runs/a", f'name = "{kind}"\n', [], {})
    line = Line(remote.command(host, script), script, tmp_path / "log", Mask([]), lambda: None)
    wait_for(lambda: filled(tmp_path / ODD, "child" if kind == "deaf" else "events.jsonl"))
    line.send_signal(signal.SIGINT)
    if kind == "deaf":
        time.sleep(0.3)
        assert line.poll() is None
        line.send_signal(signal.SIGKILL)
    wait_for(lambda: line.poll() is not None)
    assert line.poll() == {"stopped": 130, "killed": -signal.SIGKILL}[how]


def test_a_host_that_is_down_is_a_failure_of_its_runs(tmp_path):
    done = sweep(on_lab(tmp_path, {"a": "fine"}, address="down"), out="out")
    assert done.rows[0].state == "failed"
    assert done.rows[0].why.startswith("ssh: connect to host down port 22: Connection refused; in lab:")


def test_a_directory_that_is_not_there_is_said(tmp_path):
    file = on_lab(tmp_path, {"a": "fine"})
    (tmp_path / ODD).rmdir()
    (row,) = sweep(file, out="out").rows
    assert row.state == "failed"
    assert str(tmp_path) in row.why and "cd" in row.why


def test_files_that_cannot_be_brought_stay_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "_FETCH", "echo no such luck >&2; exit 3\n")
    (row,) = sweep(on_lab(tmp_path, {"a": "fine"}), out="out").rows
    assert row.state == "done"
    assert row.why == f"its files stayed there: no such luck; in lab:{there(tmp_path)}/a/seed-0"
    monkeypatch.undo()


def test_an_archive_that_reaches_out_is_refused(tmp_path, monkeypatch):
    (tmp_path / "x").write_text("x")
    monkeypatch.setattr(remote, "_FETCH", f"cd {tmp_path} && tar -cPf - {tmp_path}/x\n")
    why = remote.fetch(Host("lab", str(tmp_path)), "a", tmp_path / "got")
    assert why.startswith("the archive holds /") and why.endswith("/x, which is no file of a run")
    assert not (tmp_path / "got").exists() and not (tmp_path / "got.part").exists()


def test_without_ssh_it_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HoraeError, match="slots should be on this machine where there is no ssh, got 'lab'; install"):
        sweep(on_lab(tmp_path, {"a": "fine"}), out="out")


def test_what_was_begun_on_a_host_that_is_left_out_begins_anew_elsewhere(tmp_path, monkeypatch):
    pretended(monkeypatch)
    sweep(on_lab(tmp_path, {"a": "fails"}), out="out")
    assert states.read(Path("out")).of("a/seed-0").begun.host == "lab"
    Path("out/runs/a/seed-0").mkdir(parents=True)
    done = sweep(resume="out", jobs=1)
    assert (done.rows[0].slot, done.rows[0].state) == ("cpu", "failed")
