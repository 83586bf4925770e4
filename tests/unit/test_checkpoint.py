"""Checkpoints: two are kept, the last good one is used, and nothing but the run that was begun goes on from them."""

import json

import numpy as np
import pytest

from horae import checkpoint
from horae.checkpoint import Checkpoints, read_final, read_last, read_parts
from horae.errors import RunError, Stopped
from horae.federate import Standing
from horae.pure.tree import ROOT, Cohort, CohortTree

IDENTITY = {"training": {"lr": 0.1}, "seed": 0}


class Counter:
    """A part whose state is a number."""

    def __init__(self, n=0):
        self.n = n

    def snapshot(self):
        return self.n

    def restore(self, state):
        self.n = state


def standing(value):
    return Standing(CohortTree({ROOT: Cohort(ROOT, np.full(3, value, np.float32), np.zeros(0, np.float32))}))


def keeper(tmp_path, stop=lambda: False, **more):
    return Checkpoints(tmp_path, IDENTITY, {"part": Counter(7)}, stop, **more)


def last(tmp_path, identity=IDENTITY, check=lambda parts: None):
    return read_last(tmp_path, identity, check)


@pytest.fixture(autouse=True)
def after_every_round(monkeypatch):
    monkeypatch.setattr(checkpoint, "SHARE", 1.0)


def test_the_last_two_are_kept_and_the_newest_is_found(tmp_path):
    kept = keeper(tmp_path)
    assert last(tmp_path) is None
    for value in range(5):
        kept.look(standing(value), None, over=False)
    assert sorted(f.name for f in tmp_path.glob("*.ckpt")) == ["000000003.ckpt", "000000004.ckpt"]
    assert len(list(tmp_path.glob("*.cohort"))) == 2
    found = last(tmp_path)
    np.testing.assert_array_equal(found.standing.tree[ROOT].params, [4, 4, 4])
    assert (found.parts, found.skipped) == ({"part": 7}, ())


def test_numbers_go_on_and_so_does_the_wall_clock(tmp_path):
    keeper(tmp_path, wall_s=100.0).look(standing(0), None, over=False)
    assert 100 <= last(tmp_path).wall_s < 101
    keeper(tmp_path).look(standing(1), None, over=False)
    assert sorted(f.name for f in tmp_path.glob("*.ckpt")) == ["000000000.ckpt", "000000001.ckpt"]


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "noise", "version", "format"])
def test_of_two_the_good_one_is_used_and_of_none_one_line_says_so(tmp_path, harm):
    kept = keeper(tmp_path)
    for value in range(2):
        kept.look(standing(value), None, over=False)

    def damage(file):
        data = file.read_bytes()
        line, _, body = data.partition(b"\n")
        facts = json.loads(line)
        file.write_bytes(
            {
                "cut": data[:-10],
                "flip": data[:-70] + bytes([data[-70] ^ 1]) + data[-69:],
                "empty": b"",
                "noise": b"\x00\xff" * 50,
                "version": json.dumps(facts | {"horae": "0.0.1"}).encode() + b"\n" + body,
                "format": json.dumps(facts | {"format": 99}).encode() + b"\n" + body,
            }[harm]
        )

    damage(tmp_path / "000000001.ckpt")
    found = last(tmp_path)
    np.testing.assert_array_equal(found.standing.tree[ROOT].params, [0, 0, 0])
    assert len(found.skipped) == 1
    assert "000000001.ckpt" in found.skipped[0]
    damage(tmp_path / "000000000.ckpt")
    with pytest.raises(RunError) as refused:
        last(tmp_path)
    assert "\n" not in str(refused.value)
    assert f"remove {tmp_path} to begin again" in str(refused.value)
    if harm in ("version", "format"):
        assert "was written by horae" in str(refused.value)


def test_a_checkpoint_that_does_not_fit_the_rest_is_passed_over(tmp_path):
    kept = keeper(tmp_path)
    for value in range(2):
        kept.look(standing(value), None, over=False)
    answers = iter([RunError("the log is short"), None])

    def check(parts):
        if (answer := next(answers)) is not None:
            raise answer

    assert last(tmp_path, check=check).skipped == ("the log is short",)


def test_another_experiment_is_refused_by_field(tmp_path):
    keeper(tmp_path).look(standing(0), None, over=False)
    with pytest.raises(RunError, match=r"training.lr was 0.1 when the run in .* began and is 0.2 now"):
        last(tmp_path, {"training": {"lr": 0.2}, "seed": 0})
    with pytest.raises(RunError, match=r"seed was 0 .* and is None now"):
        last(tmp_path, {"training": {"lr": 0.1}})


def test_asked_to_stop_it_saves_and_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SHARE", 1e-9)  # the next one would be due in years
    asked = []
    kept = keeper(tmp_path, lambda: bool(asked))
    for value in range(3):
        kept.look(standing(value), None, over=False)
    assert len(list(tmp_path.glob("*.ckpt"))) == 1
    asked.append(True)
    with pytest.raises(Stopped):
        kept.look(standing(3), None, over=False)
    np.testing.assert_array_equal(last(tmp_path).standing.tree[ROOT].params, [3, 3, 3])
    kept.look(standing(4), None, over=True)  # nothing is left to stop
    np.testing.assert_array_equal(last(tmp_path).standing.tree[ROOT].params, [3, 3, 3])


def test_the_final_state_is_kept_and_nothing_goes_on_from_it(tmp_path):
    kept = keeper(tmp_path)
    kept.look(standing(1), None, over=False)
    kept.close(standing(2))
    np.testing.assert_array_equal(last(tmp_path).standing.tree[ROOT].params, [1, 1, 1])
    kept.clear()
    assert last(tmp_path) is None
    np.testing.assert_array_equal(read_final(tmp_path, IDENTITY).tree[ROOT].params, [2, 2, 2])
    with pytest.raises(RunError, match="seed was 0"):
        read_final(tmp_path, {"training": {"lr": 0.1}, "seed": 1})


def test_a_state_that_cannot_be_stored_is_named_before_the_first_round(tmp_path):
    class Odd(Counter):
        def snapshot(self):
            return {"memory": {1, 2}}

    kept = Checkpoints(tmp_path, IDENTITY, {"engine": Odd()})
    with pytest.raises(RunError, match=r"this run cannot be saved: .*\['engine'\]\['memory'\] is a set"):
        kept.look(standing(0), None, over=False)


def test_facts_are_one_readable_line(tmp_path):
    keeper(tmp_path).look(standing(0), None, over=False)
    facts, body = read_parts(tmp_path / "000000000.ckpt")
    assert facts["identity"] == IDENTITY
    assert facts["nbytes"] == len(body)


def three(values, rounds):
    """A tree of three leaves."""
    paths = [(0,), (1,), (2,)]
    cohorts = {
        path: Cohort(path, np.full(3, value, np.float32), np.zeros(0, np.float32), round=number)
        for path, value, number in zip(paths, values, rounds, strict=True)
    }
    return CohortTree(cohorts, {ROOT: 3})


def test_only_the_cohort_that_changed_is_written(tmp_path):
    kept, tree = keeper(tmp_path), three([1, 2, 3], [5, 5, 5])
    kept.look(Standing(tree), None, over=False)
    first = {f.name: f.stat().st_mtime_ns for f in tmp_path.glob("*.cohort")}
    assert sorted(name.rsplit("-", 1)[0] for name in first) == ["0.0-5", "0.1-5", "0.2-5"]
    tree = tree.put(Cohort((1,), np.full(3, 9, np.float32), np.zeros(0, np.float32), round=6))
    kept.look(Standing(tree), None, over=False)
    second = {f.name: f.stat().st_mtime_ns for f in tmp_path.glob("*.cohort")}
    assert first.items() <= second.items()  # the first checkpoint is still kept
    assert [name.rsplit("-", 1)[0] for name in second.keys() - first.keys()] == ["0.1-6"]
    found = last(tmp_path).standing.tree
    assert [int(found[path].params[0]) for path in found.paths()] == [1, 9, 3]
    assert found.children == {ROOT: 3}
    kept.look(Standing(tree), None, over=False)
    assert sorted(f.name.rsplit("-", 1)[0] for f in tmp_path.glob("*.cohort")) == ["0.0-5", "0.1-6", "0.2-5"]


@pytest.mark.parametrize("harm", ["gone", "other bytes", "another cohort"])
def test_where_a_cohort_is_lost_the_checkpoint_before_is_used(tmp_path, harm):
    kept, tree = keeper(tmp_path), three([1, 2, 3], [5, 5, 5])
    kept.look(Standing(tree), None, over=False)
    kept.look(
        Standing(tree.put(Cohort((1,), np.full(3, 9, np.float32), np.zeros(0, np.float32), round=6))), None, over=False
    )
    (file,) = tmp_path.glob("0.1-6-*.cohort")
    if harm == "gone":
        file.unlink()
    elif harm == "other bytes":
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    else:
        file.write_bytes(next(tmp_path.glob("0.0-5-*.cohort")).read_bytes())
    found = last(tmp_path)
    assert [int(found.standing.tree[path].params[0]) for path in found.standing.tree.paths()] == [1, 2, 3]
    assert file.name in found.skipped[0]


def test_a_run_that_goes_on_keeps_what_an_older_checkpoint_names(tmp_path):
    keeper(tmp_path).look(Standing(three([1, 2, 3], [5, 5, 5])), None, over=False)
    again = keeper(tmp_path)
    again.look(Standing(three([4, 5, 6], [6, 6, 6])), None, over=False)
    (tmp_path / "000000001.ckpt").unlink()
    assert int(last(tmp_path).standing.tree[(0,)].params[0]) == 1
    again.clear()
    assert list(tmp_path.iterdir()) == []
