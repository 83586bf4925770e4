"""`horae status` and `horae stop` of a comparison: in a process of its own, with programs that stand for runs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pretended_runs import as_horae
from watched_sweeps import filled, wait_for

from horae.compare import compare
from horae.files import PROCESS
from horae.pids import Process, at_work, process, recorded
from horae.sweep import compared
from horae.sweep.ending import stop
from horae.sweep.finding import COMPARISON, Target, find, here

OUT = Path("comparisons/out")
KINDS = list(enumerate({"quick": "fine", "long": "slow", "deaf": "deaf", "late": "fine"}.items(), 1))


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A comparison whose first run is done, whose second and third are under way, and whose last one waits."""
    monkeypatch.chdir(tmp_path)
    arms = [f'[[arm]]\nname = "{arm}"\nset = {{ name = "{kind}", overcommit = 1.{i} }}' for i, (arm, kind) in KINDS]
    Path("arms.toml").write_text("\n".join(arms))
    words = ["compare", "--arms", "arms.toml", "--seeds", "0", "--jobs", "2", "--out", str(OUT)]
    child = subprocess.Popen(as_horae(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    left = []
    try:
        wait_for(lambda: child.poll() is not None or (filled(OUT / "runs/deaf", "child") and filled(OUT / "runs/long")))
        left = [at_work(place.directory) for place in compared.places(OUT)]
        yield child
    finally:
        child.kill()
        for one in left:
            if one is not None:
                one.send(signal.SIGKILL, group=True)
        child.communicate()


def told():
    return {row.run.removeprefix("runs/").removesuffix("/seed-0"): row.state for row in compared.standing(OUT).rows}


def test_its_process_and_its_runs_end_and_none_is_begun(begun):
    assert told() == {"quick": "done", "long": "running", "deaf": "running", "late": "waiting"}
    assert compared.standing(OUT).state == "running"
    words = []
    found = stop(find("out"), 1.0, words.append)
    assert {one.what: one.how for one in found} == {
        "runs/long/seed-0": "stopped", "runs/deaf/seed-0": "killed", str(OUT): "stopped",
    }  # fmt: skip
    assert {one.again for one in found} == {f"horae compare --resume {OUT}"}
    assert words == [f"{OUT}: its runs end their rounds; what is there after 1 s is killed"]
    _, said = begun.communicate(timeout=30)
    assert begun.returncode == 130
    again = f"go on with: horae compare --resume {OUT}"
    assert said.decode().splitlines()[-1] == f"horae: stopped with 1 of 4 runs finished; {again}"
    assert told() == {"quick": "done", "long": "stopped", "deaf": "stopped", "late": "waiting"}
    assert compared.standing(OUT).state == "ended"
    assert stop(find("out"), 1.0) == []


def test_where_its_process_was_killed_its_runs_are_asked_themselves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = laid(("a/seed-0",), OUT) / "runs/a/seed-0"
    place.mkdir(parents=True)
    (OUT / PROCESS).write_text(json.dumps({**process(os.getpid()).table(), "started": "1"}))
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], start_new_session=True)
    (place / PROCESS).write_text(json.dumps(process(left.pid).table()))
    assert compared.standing(OUT).state == "gone"
    (ending,) = stop([Target(OUT, kind=COMPARISON)], 5.0)
    assert (ending.what, ending.how, ending.again) == (
        "runs/a/seed-0", "stopped", f"horae compare --resume {OUT}",
    )  # fmt: skip
    assert left.wait(5) == -signal.SIGTERM


def laid(names, place):
    """A comparison's directory with experiments of these names."""
    for name in names:
        file = place / "experiments" / f"{name}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (place / "comparison.json").write_text("{}")
    return place


def test_trials_and_failed_runs_are_rows_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    laid(("a/seed-0", "a/trial-3/seed-100", "b/seed-0", "c/seed-0", "c/seed-0 (copy)"), OUT)
    for name in ("runs/a/seed-0", "tuning/a/trial-3/seed-100", "runs/b/seed-0"):
        (OUT / name).mkdir(parents=True)
    (OUT / "tuning/a/trial-3/seed-100/summary.json").write_text("{}")
    (OUT / "logs").mkdir()
    (OUT / "logs/a-seed-0.txt").write_text("a warning\nhorae: the clients ran away\n\n")
    (OUT / "logs/b-seed-0.txt").write_text("horae: stopped after the round in flight; go on with: ...\n")
    standing = compared.standing(OUT)
    assert {row.run: (row.state, row.why, row.seed) for row in standing.rows} == {
        "runs/a/seed-0": ("failed", "the clients ran away", 0),
        "tuning/a/trial-3/seed-100": ("done", "", 100),
        "runs/b/seed-0": ("stopped", "", 0),
        "runs/c/seed-0": ("waiting", "", 0),
    }
    assert [(target.directory, target.kind) for target in here()] == [(OUT, COMPARISON)]
    assert find("out") == find(str(OUT)) == here()


def test_one_of_another_user_or_within_a_python_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    laid(("a/seed-0",), OUT)
    with recorded(OUT, gentle=False):
        (ending,) = stop(find("out"), 1.0)
    assert ending.why == f"process {os.getpid()} is a Python that runs horae within; end it there"

    def refuse(self, number, *, group=False):
        raise PermissionError

    monkeypatch.setattr(Process, "send", refuse)
    with recorded(OUT, gentle=True):
        (ending,) = stop(find("out"), 1.0)
    assert (ending.what, ending.how, ending.why) == (
        str(OUT), "left", f"process {os.getpid()} belongs to another user",
    )  # fmt: skip


def test_a_comparison_says_who_works_in_it_while_it_does(tmp_path, monkeypatch):
    from horae.compare.processes import Job

    seen = []

    def command(job, data_root):
        seen.append(at_work(tmp_path / "out"))
        return [sys.executable, "-c", "import sys; sys.exit('no')"]

    monkeypatch.setattr(Job, "command", command)
    monkeypatch.setattr("horae.report.comparison.page.comparison_page", lambda results, directory: "")
    compare(vary={"clustering": ["single", "auxo"]}, seeds=[0], out=tmp_path / "out", jobs=1)
    assert [(one.pid, one.gentle) for one in seen] == [(os.getpid(), True)] * 2
    assert at_work(tmp_path / "out") is None
    assert json.loads((tmp_path / "out" / "results.json").read_text())["runs"][0]["reason"] == "no"
