"""A census between real processes: the same totals as in one, and none of them outlives it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from horae.census import Kind, Terms, local
from horae.census.processes import Fault, across, processes_of
from horae.errors import ConfigError

COUNTS = {client: np.array([client, 1, 7 * client % 5]) for client in range(14)}


def plain(clients):
    return sum(COUNTS[client] for client in clients).tolist()


def family(pid):
    """All processes below this one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found, size = {pid}, 0
    while size < len(found):
        size = len(found)
        found |= {child for child, parent in parents.items() if parent in found}
    return (found - {pid}) & set(parents)


def alive(pids):
    """Those that still run."""
    states = {}
    for pid in pids:
        try:
            states[pid] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
    return {pid for pid, state in states.items() if state != "Z"}


def eventually(wanted, seconds=20):
    """Whether it comes true in time."""
    end = time.monotonic() + seconds
    while not wanted():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_totals_survivors_and_bytes_are_those_of_one_process():
    terms = Terms(labels=3, transport="chain", segments=2)
    (result,) = across(COUNTS, terms)
    alone = local(COUNTS, terms)
    assert result.status == "released" and result.totals.tolist() == plain(range(14))
    assert (result.survivors, sum(result.bytes_up.values())) == (alone.survivors, sum(alone.bytes_up.values()))
    assert sum(result.bytes_down.values()) == sum(alone.bytes_down.values())
    assert result.seconds > 0 and family(os.getpid()) == set()


@pytest.mark.parametrize("processes", [3, 14])  # connections that are cut; processes that are killed
def test_dropouts_at_every_step_and_who_is_gone_stays_gone(processes):
    faults = {2: Fault(Kind.INBOX), 5: Fault(Kind.TURN), 8: Fault(Kind.WITNESSES), 9: Fault(Kind.ROSTER, epoch=2)}
    began = time.monotonic()
    first, second = across(COUNTS, Terms(labels=3, hop_s=30.0), processes=processes, epochs=2, faults=faults)
    assert time.monotonic() - began < 25  # nobody waited for the clock
    assert first.dropped == (2, 5) and first.totals.tolist() == plain(set(range(14)) - {2, 5})
    assert second.absent == (9,) and second.totals.tolist() == plain(set(range(14)) - {2, 5, 8, 9})
    assert set(second.bytes_up) == set(range(14)) - {2, 5, 8}
    assert family(os.getpid()) == set()


def test_who_says_nothing_is_waited_for_until_the_time_is_up():
    (result,) = across(COUNTS, Terms(labels=3, hop_s=1.0), faults={3: Fault(Kind.TURN, silent=True)})
    assert result.dropped == (3,) and result.totals.tolist() == plain(set(range(14)) - {3})
    assert 1.0 <= result.seconds < 10


def test_one_that_leaves_between_two_epochs_is_not_told_apart():
    first, second = across(COUNTS, Terms(labels=3), epochs=2, faults={3: Fault(Kind.WITNESSES)})
    assert first.totals.tolist() == plain(range(14))
    assert (second.status, second.totals) == ("refused", None)
    assert {why for _, why, _ in second.refusals} == {"audit"}


def test_too_few_are_left_and_the_next_epoch_is_not_tried():
    faults = {client: Fault(Kind.ROSTER) for client in range(5)}
    (result,) = across(COUNTS, Terms(labels=3), epochs=3, faults=faults)
    assert (result.status, result.totals) == ("aborted", None)
    assert family(os.getpid()) == set()


def test_how_many_processes():
    assert [processes_of(wanted, 12) for wanted in (1, 2, 7, 99)] == [2, 2, 7, 12]
    assert 2 <= processes_of(0, 12) <= 12


def test_what_cannot_be_counted_is_refused_before_anything_starts():
    with pytest.raises(ConfigError, match=r"census.clients should be at least n_min = 10, got 9"):
        across({client: [1] for client in range(9)}, Terms(labels=1))
    with pytest.raises(ConfigError, match=r"census.epochs should be at least 1, got 0"):
        across(COUNTS, Terms(labels=3), epochs=0)
    with pytest.raises(ConfigError, match=r"census.counts should be 3 numbers, got \(2,\)"):
        across({**COUNTS, 5: [1, 2]}, Terms(labels=3))
    with pytest.raises(ConfigError, match=r"census.clients should be few enough for a sum below 2\^63, got 14"):
        across(COUNTS, Terms(labels=2**20, clip=2**40 - 1))


WAITS = """
from horae.census import Kind, Terms
from horae.census.processes import Fault, across
counts = {client: [client] for client in range(12)}
across(counts, Terms(labels=1, hop_s=120.0), processes=4, faults={3: Fault(Kind.TURN, silent=True)})
"""


@contextmanager
def waiting():
    """A census that waits for one that says nothing: its process, and those below it."""
    with subprocess.Popen([sys.executable, "-c", WAITS], stderr=subprocess.DEVNULL) as parent:
        assert eventually(lambda: len(family(parent.pid)) == 5)  # one that waits, and four with members
        yield parent, family(parent.pid)
        parent.kill()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_however_the_parent_ends_no_process_is_left(how):
    with waiting() as (parent, children):
        lines = {Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
        assert {tuple(line.split(b"\0")[1:]) for line in lines} == {(b"-m", b"horae.census.crew", b"")}  # no token
        parent.send_signal(how)
        parent.wait(20)
        assert parent.returncode != 0
        assert eventually(lambda: not alive(children))


@pytest.mark.slow
def test_if_the_process_that_waits_is_killed_the_others_end_with_the_parent():
    with waiting() as (parent, children):
        (first,) = (pid for pid in children if os.getsid(pid) == pid)
        os.kill(first, signal.SIGKILL)
        parent.kill()
        assert eventually(lambda: not alive(children))


def test_the_crew_wants_a_group_of_its_own():
    command = [sys.executable, "-m", "horae.census.crew"]
    alone = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert alone.returncode == 1 and b"started by `horae census`" in alone.stderr
