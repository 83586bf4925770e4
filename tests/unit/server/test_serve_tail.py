"""A log is followed as it is written: half a line waits, a broken one is named, a log that was cut back begins anew."""

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.server import tail
from horae.server.fold import Fold, natural
from horae.server.tail import Tail

sys.path.append(str(Path(__file__).parents[1] / "explain"))  # the log written by hand
from madelog import a_round, events, score, verdict

LINES = [json.dumps(event).encode() + b"\n" for event in events()]
WHOLE = b"".join(LINES)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "events.jsonl"


def kinds(found):
    return [event["event"] for event in found]


def test_half_a_line_waits_for_its_end(log):
    log.write_bytes(LINES[0] + LINES[1][:20])
    follower = Tail(log, "run/events.jsonl")
    assert kinds(follower.read()) == ["run"]
    assert (follower.read(), follower.fault, follower.offset) == ([], "", len(LINES[0]))
    with log.open("ab") as out:
        out.write(LINES[1][20:] + LINES[2])
    assert kinds(follower.read()) == ["score", "round"]
    assert (follower.read(), follower.number, follower.begun) == ([], 3, 0)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=6), st.integers(1, 4000))
def test_however_it_is_written_and_read_the_events_are_the_same(tmp_path_factory, cuts, most):
    log = tmp_path_factory.mktemp("cut") / "events.jsonl"
    follower, found = Tail(log, "run/events.jsonl"), []
    for cut in [*sorted(cuts), len(WHOLE)]:
        log.write_bytes(WHOLE[:cut])
        found += follower.read(most)
        while follower.behind:
            found += follower.read(most)
    assert found == events() and follower.begun == 0


@pytest.mark.parametrize("grown", [False, True])
def test_a_log_that_was_cut_back_is_read_again(log, grown):
    log.write_bytes(WHOLE)
    follower = Tail(log, "run/events.jsonl")
    assert len(follower.read()) == len(LINES)
    other = [json.dumps(score(1000.0 + i, {"0": [6, 0.5]})).encode() + b"\n" for i in range(40)]
    log.write_bytes(b"".join([*LINES[:3], *(other if grown else [])]))  # longer than before, or shorter
    assert len(follower.read()) == 3 + (40 if grown else 0)
    assert follower.begun == 1


def test_a_broken_line_is_named_and_what_came_before_it_kept(log):
    log.write_bytes(b"".join(LINES[:2]) + b'{"event": "score"}\n' + LINES[3])
    follower = Tail(log, "mine/events.jsonl")
    assert kinds(follower.read()) == ["run", "score"]
    assert follower.fault.startswith("mine/events.jsonl, line 3: event score should have a field at_s")
    assert follower.read() == [] and follower.fault
    log.write_bytes(WHOLE)  # mended, what had been read is still there
    assert len(follower.read()) == len(LINES) - 2
    assert (follower.fault, follower.begun) == ("", 0)


def test_a_line_without_an_end_is_not_read_into_memory(log, monkeypatch):
    monkeypatch.setattr(tail, "LONGEST", 5_000)
    log.write_bytes(LINES[0] + b'"' + b"x" * 10_000)
    follower = Tail(log, "mine/events.jsonl")
    assert kinds(follower.read(1_000)) == ["run"]
    assert follower.read(1_000) == []
    assert follower.fault == "mine/events.jsonl, line 2 is longer than 5,000 bytes"


def test_links_and_pipes_are_not_opened(log, tmp_path):
    (tmp_path / "secret").write_bytes(WHOLE)
    log.symlink_to(tmp_path / "secret")
    follower = Tail(log, "mine/events.jsonl")
    assert follower.read() == [] and follower.fault == "cannot read mine/events.jsonl: it is a link"
    log.unlink()
    os.mkfifo(log)
    assert follower.read() == [] and follower.fault == "mine/events.jsonl is not a file"
    log.unlink()
    assert follower.read() == [] and follower.fault == "there is no mine/events.jsonl"


def folded(lines):
    fold = Fold()
    for event in lines:
        fold.take(event)
    return fold


def test_what_is_gathered_of_a_log():
    fold = folded(events())
    assert dict(fold.moves) == {("0", "0.1"): 3, ("0.1", "0.0"): 1, ("0", "0.0"): 1}
    assert (fold.booked["participations"], fold.booked["rounds"], fold.booked["nbytes_up"]) == (15, 6, 56)
    assert (fold.leaves, fold.clustering, fold.finished, fold.at_s) == (["0.0", "0.1"], "auxo", True, 700.0)
    root, child = fold.cohorts["0"], fold.cohorts["0.1"]
    assert (root.since_s, root.until_s, root.rounds, root.split["statistic"]) == (0.0, 200.0, 2, 0.9)
    assert (child.since_s, child.until_s, child.rounds) == (200.0, None, 3)
    assert fold.ledger == {"train": {"participations": 15}}


def test_before_the_end_the_ledger_is_what_rounds_booked():
    fold = folded(events()[:5])
    assert fold.ledger == {"so far": {"participations": 6, "nbytes_up": 16, "nbytes_down": 16, "flops": 2}}
    assert fold.standing()["cohorts"] == 1 and folded([]).ledger == {}


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr("horae.server.fold.MOST_SCORES", 10)
    monkeypatch.setattr("horae.server.fold.MOST_COHORTS", 5)
    fold = folded([score(float(i), {"0": [6, 0.5]}) for i in range(500)])
    assert len(fold.scores) <= 20 and fold.scores[0]["at_s"] == 0.0 and fold.score["at_s"] == 499.0
    fold = folded([a_round(f"0.{i}", i, [i], 100.0 + i) for i in range(50)])
    assert len(fold.cohorts) == 5 and fold.booked["participations"] == 50
    fold = folded([verdict("0", i, 1.0 * i, None, "no split") for i in range(500)])
    assert len(fold.looks) == 60 and fold.looks[-1]["round"] == 499


def test_cohorts_are_in_the_order_of_the_tree():
    assert sorted(["0.10", "0.9", "0", "0.9.1"], key=natural) == ["0", "0.9", "0.9.1", "0.10"]
