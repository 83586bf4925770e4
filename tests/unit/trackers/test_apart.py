"""A tracker with a library runs in a process of its own: what it knows, what it says, how it ends."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import ClassVar

import pytest

from horae.trackers import Point, Run, apart
from horae.trackers.apart import Apart, Failed

POINTS = [Point(1, 0, 0.0, {"accuracy": 0.5})]


@dataclass(frozen=True)
class Far:
    """Writes what it sees into a file. trouble: what goes wrong."""

    file: str = ""
    trouble: str = ""
    needs: ClassVar[str] = "json"
    environment: ClassVar[dict[str, str]] = {"FAR": "yes"}

    def open(self, run):
        print("library chatter")
        self.begin("open")
        with open(self.file, "a") as out:
            facts = {"pid": os.getpid(), "session": os.getsid(0), "key": run.key, "environment": dict(os.environ)}
            out.write(json.dumps(facts) + "\n")
        return self.file

    def begin(self, what):
        if self.trouble == what:
            raise ZeroDivisionError("division\nby zero")
        if what == "tell" and self.trouble == "die":
            os._exit(7)
        if what == "tell" and self.trouble == "hang":
            time.sleep(60)

    def tell(self, opened, points):
        self.begin("tell")
        with open(opened, "a") as out:
            out.writelines(json.dumps([point.step, dict(point.numbers)]) + "\n" for point in points)

    def close(self, opened, ended):
        with open(opened, "a") as out:
            out.write(json.dumps({"ended": ended}) + "\n")


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path, "tiny", "auxo", 3, "0a0b0c0d", {"seed": 3})


def lines(tmp_path):
    return [json.loads(line) for line in (tmp_path / "far").read_text().splitlines()]


def wait_idle(link):
    assert link.idle(60.0)


def test_it_has_a_process_a_session_a_home_and_little_else(tmp_path, run, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "a secret of ours")
    link = Apart(Far(str(tmp_path / "far")), run)
    wait_idle(link)
    link.tell(POINTS)
    link.close(POINTS, ended=True)
    facts, *told = lines(tmp_path)
    assert facts["pid"] == facts["session"] != os.getpid()
    assert facts["key"] == "0a0b0c0d"
    theirs = facts["environment"]
    assert "a secret of ours" not in json.dumps(theirs)
    assert theirs["FAR"] == "yes" and theirs["HOME"] != os.environ.get("HOME")
    assert not os.path.exists(theirs["HOME"])
    known = {*apart.KEPT, "PYTHONPATH", "HOME", "HORAE_TRACKER_HOME", "FAR", "PWD", "SHLVL", "_", "LC_CTYPE"}
    assert set(theirs) <= known
    assert told == [[0, {"accuracy": 0.5}]] * 2 + [{"ended": True}]
    with pytest.raises(ProcessLookupError):
        os.kill(facts["pid"], 0)


@pytest.mark.parametrize(("trouble", "words"), [("open", "ZeroDivisionError: division by zero"),
                                                ("tell", "ZeroDivisionError: division by zero"),
                                                ("die", "its process ended with 7")])  # fmt: skip
def test_what_goes_wrong_there_is_one_line_here(tmp_path, run, trouble, words):
    link = Apart(Far(str(tmp_path / "far"), trouble), run)
    with pytest.raises(Failed, match=f"^{words}$"):
        link.close(POINTS, ended=True)


def test_one_that_hangs_is_ended(tmp_path, run, monkeypatch):
    link = Apart(Far(str(tmp_path / "far"), "hang"), run)
    wait_idle(link)
    monkeypatch.setattr(apart, "PATIENCE_S", 0.2)
    with pytest.raises(Failed, match=r"it did not answer in 0 s"):
        link.close(POINTS, ended=True)
    pid = lines(tmp_path)[0]["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_does_not_wait_for_an_answer(tmp_path, run):
    link = Apart(Far(str(tmp_path / "far"), "hang"), run)
    wait_idle(link)
    began = time.monotonic()
    link.tell(POINTS)
    assert not link.idle()
    assert time.monotonic() - began < 10
    link.kill()


def test_it_ends_when_we_do(tmp_path):
    code = (
        "import os, sys; sys.path[:0] = eval(sys.argv[1])\n"
        "from test_apart import Far, Run, Apart, POINTS; from pathlib import Path\n"
        "link = Apart(Far(sys.argv[2]), Run(Path('/'), 'tiny', 'auxo', 3, '0a0b0c0d', {}))\n"
        "link.idle(60); link.tell(POINTS); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, repr(sys.path), str(tmp_path / "far")], timeout=60)
    assert done.returncode == -9
    until = time.monotonic() + 30
    while len(lines(tmp_path)) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    facts, *told = lines(tmp_path)
    assert told == [[0, {"accuracy": 0.5}], {"ended": False}]
    while os.path.exists(facts["environment"]["HOME"]) and time.monotonic() < until:
        time.sleep(0.02)
    assert not os.path.exists(facts["environment"]["HOME"])
