"""Processes that are written down, and told from others that have their number later."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from horae import pids
from horae.pids import at_work, known, process, recorded, started

WAIT = "import time; print('here', flush=True); time.sleep(30)"


@pytest.fixture
def other():
    """A process that waits."""
    child = subprocess.Popen([sys.executable, "-c", WAIT], stdout=subprocess.PIPE, start_new_session=True)
    child.stdout.readline()
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_process_is_known_again_from_what_was_written(other):
    mine = process(other.pid)
    assert mine.alive and mine.near
    assert known(json.loads(json.dumps(mine.table()))) == mine
    assert mine.send(signal.SIGTERM)
    assert other.wait(10) == -signal.SIGTERM
    assert not mine.alive
    assert not mine.send(signal.SIGTERM)


@pytest.mark.parametrize("change", [{"started": "1"}, {"boot": "an earlier one"}, {"host": "another"}, {"started": ""}])
def test_a_number_that_another_process_has_is_not_touched(other, change):
    once = replace(process(other.pid), **change)
    assert not once.alive
    assert not once.send(signal.SIGKILL)
    assert not once.send(signal.SIGKILL, group=True)
    time.sleep(0.05)
    assert other.poll() is None
    assert once.near == ("host" not in change)


def test_who_has_ended_and_was_not_asked_for_yet_is_gone():
    child = subprocess.Popen([sys.executable, "-c", WAIT], stdout=subprocess.PIPE)
    child.stdout.readline()
    mine = process(child.pid)
    child.kill()
    while started(child.pid):  # a zombie from now on, since nobody waits for it
        time.sleep(0.01)
    assert not mine.alive
    child.wait()
    child.stdout.close()


def test_a_group_is_ended_with_its_leader_and_no_other_group():
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAIT!r}])"
    leader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    leader.stdout.readline()
    assert process(leader.pid).send(signal.SIGKILL, group=True)
    assert leader.wait(10) == -signal.SIGKILL
    assert leader.stdout.read() == b""  # its child held the other end, and is gone too
    leader.stdout.close()
    follower = subprocess.Popen([sys.executable, "-c", WAIT], stdout=subprocess.PIPE)  # in this test's group
    follower.stdout.readline()
    assert process(follower.pid).send(signal.SIGKILL, group=True)
    assert follower.wait(10) == -signal.SIGKILL
    follower.stdout.close()


def test_a_directory_says_who_works_in_it(tmp_path):
    with recorded(tmp_path):
        mine = at_work(tmp_path)
        assert mine is not None
        assert (mine.pid, mine.alive) == (os.getpid(), True)
        assert not mine.gentle  # nothing here listens to SIGTERM
    assert at_work(tmp_path) is None
    with recorded(tmp_path, gentle=True):
        assert at_work(tmp_path).gentle


def test_who_listens_to_sigterm_is_gentle(tmp_path):
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with recorded(tmp_path):
            assert at_work(tmp_path).gentle
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "1"}', '{"pid": 1, "started": "", "boot": "", "host": ""}'])
def test_a_broken_record_is_none(tmp_path, text):
    (tmp_path / ".process").write_text(text)
    assert at_work(tmp_path) is None


def test_without_proc_the_system_is_asked(other, monkeypatch, tmp_path):
    monkeypatch.setattr(pids, "PROC", tmp_path)
    mine = process(other.pid)
    assert mine.alive
    assert not replace(mine, started="Thu Jan 1 00:00:00 1970").alive
    other.kill()
    while started(other.pid):
        time.sleep(0.01)
    assert not mine.alive


def test_names_with_brackets_are_no_trouble(monkeypatch, tmp_path):
    monkeypatch.setattr(pids, "PROC", tmp_path)
    (tmp_path / "self").mkdir()
    (tmp_path / "77").mkdir()
    fields = " ".join(["S", *map(str, range(4, 22)), "4711", "23"])  # the 22nd of all is the start
    (tmp_path / "77" / "stat").write_text(f"77 (a) Z (b)) {fields}")
    assert started(77) == "4711"
    assert started(78) == ""
