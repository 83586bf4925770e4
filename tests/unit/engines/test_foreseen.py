"""Rounds whose updates are asked as they come: what is foreseen, what is not, and that a run is the same run."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import horae
from horae.aggregation import AGGREGATION
from horae.algorithms import ALGORITHMS
from horae.clustering import CLUSTERING, Auxo
from horae.engines import Simulation
from horae.engines.foreseen import foreseen
from horae.errors import Stopped
from horae.federate import federate
from horae.pruning import PRUNING
from horae.selectors import SELECTORS
from horae.training import streamed
from horae.training.streamed import Streamed
from horae.types import Updates

sys.path.insert(0, str(Path(__file__).parent))
from test_simulation import Notebook, plan, world

# Two cohorts soon, and a sketch that is narrower than the model.
SMALL = {
    "name": "small", "participants": 12, "budget": {"participations": 96}, "baseline": "none",
    "clustering": {"name": "auxo", "at": [2], "k": 2, "min_participants": 2, "min_members": 2, "dims": 64},
    "population": {"name": "digits-rotated", "clients": 40}, "evaluation": {"every": 3},
}  # fmt: skip


def wanted(**changes):
    models = {(): np.zeros(2, np.float32), (1,): np.array([1, 3], np.float32), (0,): np.array([0, 2], np.float32)}
    return foreseen(plan(**changes), np.array([3, 1]), (0,), lambda: {k: v for k, v in models.items() if k})


def test_auxo_asks_for_a_sketch_and_the_way_to_each_other_cohort():
    found = wanted(clustering=Auxo(dims=7))
    assert found.shares.tolist() == [0.75, 0.25]
    assert found.dims == 7
    assert found.ways.tolist() == [[1, 1]]
    assert wanted(clustering=Auxo(reward="paper")).ways is None
    assert foreseen(plan(clustering=Auxo()), np.array([3, 1]), (), lambda: {(): np.zeros(2, np.float32)}).ways is None


def test_one_cohort_asks_for_the_sum_alone():
    found = wanted()
    assert (found.dims, found.ways) == (0, None)
    assert found.shares.tolist() == [0.75, 0.25]


FAMILIES = (
    ("algorithm", ALGORITHMS, {"fedavg", "fedavgm", "fedprox", "fedadam", "fedyogi", "ftfa"}),
    ("aggregation", AGGREGATION, {"mean"}),
    ("selector", SELECTORS, set(SELECTORS)),
    ("clustering", CLUSTERING, {"single", "oracle", "auxo"}),
    ("pruning", PRUNING, {"dense"}),
)


@pytest.mark.parametrize(
    ("family", "name", "named"), [(family, name, name in some) for family, all, some in FAMILIES for name in all]
)
def test_whoever_may_ask_anything_has_updates_held(family, name, named):
    members = next(members for other, members, _ in FAMILIES if other == family)
    assert (wanted(**{family: members[name]()}) is not None) == named


def test_a_component_of_ones_own_may_ask_anything():
    class Mine(Auxo):
        """Reads rows, for all we know."""

    assert wanted(clustering=Mine()) is None
    assert wanted(aggregator=object()) is None


class Reads(Notebook):
    """What kinds of updates there were."""

    def __init__(self):
        super().__init__()
        self.kinds = set()

    def round(self, outcome, tree, verdicts, feedback):
        super().round(outcome, tree, verdicts, feedback)
        self.kinds.add(type(outcome.updates))


def played(monkeypatch, most, **changes):
    monkeypatch.setattr(streamed, "HELD", most)
    made, notes, here = plan(**changes), Reads(), world([1.0, 2.0, 3.0, 4.0])
    start = (here.trainer.initial_params, here.trainer.initial_buffers)
    return federate(made, start, Simulation(made, here), notes).tree[()].params, notes


def test_the_loop_goes_on_without_rows(monkeypatch):
    (held, first), (asked, second) = played(monkeypatch, 2**27), played(monkeypatch, 0)
    assert (first.kinds, second.kinds) == ({Updates}, {Streamed})
    np.testing.assert_allclose(asked, held, rtol=1e-5)
    assert [o.at_s for o in first.outcomes] == [o.at_s for o in second.outcomes]
    assert played(monkeypatch, 0, algorithm=ALGORITHMS["scaffold"]())[1].kinds == {Updates}
    assert played(monkeypatch, 0, clustering=CLUSTERING["cfl"]())[1].kinds == {Updates}


def run(out, monkeypatch, most, **more):
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    monkeypatch.setattr(streamed, "HELD", most)
    return horae.run(SMALL, out=out, **more)


def rounds(place):
    lines = [json.loads(line) for line in (place / "events.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if "wall" not in k} for line in lines]


def test_a_run_with_cohorts_is_the_same_run_and_nobody_trains_twice(tmp_path, monkeypatch, caplog):
    held = run(tmp_path / "held", monkeypatch, 2**27)
    asked = run(tmp_path / "asked", monkeypatch, 0)
    assert len(held.tree.paths()) == len(asked.tree.paths()) == 2
    assert "train again" not in caplog.text
    for one, other in zip(held.tree, asked.tree, strict=True):
        np.testing.assert_allclose(other.params, one.params, atol=1e-4)


def test_a_run_that_was_stopped_between_cohorts_goes_on_to_the_same_bits(tmp_path, monkeypatch, caplog):
    whole, left = run(tmp_path / "whole", monkeypatch, 0), iter(range(20))
    with pytest.raises(Stopped):
        run(tmp_path / "part", monkeypatch, 0, stop=lambda: next(left) >= 5)
    horae.run(resume=tmp_path / "part")
    assert "train again" not in caplog.text
    assert rounds(tmp_path / "part") == rounds(tmp_path / "whole")
    assert len(whole.tree.paths()) == 2
