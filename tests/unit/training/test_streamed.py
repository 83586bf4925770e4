"""Updates that are asked as they come: numbers by hand, the updates that are held, and any number of workers."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from horae.engines.remote import accumulate
from horae.errors import RunError
from horae.training import Trainer, Training, Wanted, Work, flow, streamed
from horae.training.native import compiled
from horae.training.streamed import Answers, Streamed
from horae.types import Updates

CLIENTS, DIMS = 23, 16


def no_more(wanted):
    raise AssertionError(f"trained again for {wanted}")


def told(wanted, rows, again=no_more):
    answers = Answers(wanted, rows.shape[1])
    answers.hear(0, rows)
    return Streamed(answers.closed(), again)


def test_two_clients_by_hand():
    ways = np.array([[1, 0], [1, 1], [0, -2]], np.float32)
    found = told(Wanted(np.array([1.0, 3.0]), 4, ways), np.array([[3, 4], [0, 2]], np.float32))
    assert len(found) == 2
    assert found.combine(np.array([0.25, 0.75])).tolist() == [0.75, 2.5]
    assert found.combine(np.array([2.0, 6.0])).tolist() == [6, 20]
    assert found.norms().tolist() == [5, 2]
    assert found.sketch(4).tolist() == [[3, 4], [0, 2]]
    assert found.along(ways).tolist() == [[3, 7, -8], [0, 2, -4]]


def test_who_diverged_is_in_no_sum():
    rows = np.array([[2, 0], [np.nan, 1], [0, 4], [3e38, 3e38]], np.float32)
    found = told(Wanted(np.array([1.0, 5.0, 1.0, 1.0])), rows)
    ok = np.isfinite(found.norms())
    assert ok.tolist() == [True, False, True, False]
    left = found.only(ok)
    assert len(left) == 2
    assert left.combine(np.array([0.5, 0.5])).tolist() == [1, 2]
    assert left.norms().tolist() == [2, 4]


def test_what_was_not_foreseen_is_trained_for(caplog):
    rows, asked = np.arange(6, dtype=np.float32).reshape(3, 2), []

    def again(wanted):
        asked.append(wanted)
        return Updates(rows) if wanted is None else told(wanted, rows)

    found = told(Wanted(np.ones(3), 1), rows, again).only(np.array([True, False, True]))
    here = Updates(rows[[0, 2]])
    np.testing.assert_array_equal(found.rows, here.rows)
    np.testing.assert_array_equal(found.combine(np.array([1.0, 2.0])), here.combine(np.array([1.0, 2.0])))
    np.testing.assert_array_equal(found.gram(), here.gram())
    np.testing.assert_array_equal(found.columns(slice(1, 2)), here.columns(slice(1, 2)))
    assert asked == [None] * 4
    assert "asked for their columns, which was not foreseen: its clients train again" in caplog.text
    np.testing.assert_array_equal(found.sketch(2), here.sketch(2))
    np.testing.assert_array_equal(found.along(rows), here.along(rows))
    assert [wanted.dims for wanted in asked[4:]] == [2, 1]


def test_sums_of_a_part_of_the_clients_are_others():
    found = told(Wanted(np.ones(2)), np.eye(2, dtype=np.float32), lambda wanted: Updates(np.eye(2, dtype=np.float32)))
    assert found.only(np.array([True, False])).combine(np.array([1.0])).tolist() == [1, 0]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 70), st.integers(1, 5), st.integers(0, 2**20))
def test_pieces_say_what_the_whole_says(clients, params, piece, seed):
    rng = np.random.default_rng(seed)
    rows, weights = rng.normal(size=(clients, params)).astype(np.float32), rng.integers(0, 9, clients).astype(float)
    weights[0] += 1
    wanted = Wanted(weights, 8, rng.normal(size=(2, params)).astype(np.float32))
    whole, answers = told(wanted, rows), Answers(wanted, params)
    for first in range(0, clients, piece):
        answers.hear(first, rows[first : first + piece])
    parts = Streamed(answers.closed(), no_more)
    shares, held, total = weights / weights.sum(), Updates(rows), np.zeros(params, np.float32)
    for share, row in zip(shares.astype(np.float32), rows, strict=True):
        accumulate(total, share, row)  # as updates on a data plane are added
    np.testing.assert_array_equal(parts.combine(shares), total)
    np.testing.assert_array_equal(whole.combine(shares), total)
    np.testing.assert_allclose(total, held.combine(shares), atol=1e-5)
    np.testing.assert_array_equal(parts.norms(), held.norms())
    np.testing.assert_array_equal(parts.sketch(8), held.sketch(8))
    np.testing.assert_array_equal(parts.along(wanted.ways), whole.along(wanted.ways))
    np.testing.assert_allclose(parts.along(wanted.ways), held.along(wanted.ways), atol=1e-4)


@pytest.mark.parametrize(
    ("clients", "grain", "params", "workers", "edges"),
    [
        (10, 1, 2**24, 1, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),  # one client fills a unit
        (10, 1, 2**22, 1, [0, 4, 8, 10]),
        (10, 1, 8, 1, [0, 5, 10]),  # two units for every worker
        (10, 1, 8, 2, [0, 3, 6, 9, 10]),
        (10, 4, 2**24, 2, [0, 4, 8, 10]),  # never cut inside of a chunk
    ],
)
def test_rounds_are_cut_into_units(clients, grain, params, workers, edges):
    cuts = list(flow.units(clients, grain, params, workers))
    assert [cut.start for cut in cuts] == edges[:-1]
    assert [cut.stop for cut in cuts] == edges[1:]


def trainer(kind, workers=1):
    rng = np.random.default_rng(0)
    made = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    if kind == "lean":
        made = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.3), nn.BatchNorm1d(8), nn.Linear(8, 3))
    for layer in made:
        if isinstance(layer, nn.Linear):
            layer.weight.data = 0.3 * layer.weight.data.new_tensor(rng.normal(size=layer.weight.shape))
            layer.bias.data.zero_()
    x, y = rng.normal(size=(400, 6)).astype(np.float32), rng.integers(0, 3, 400)
    return Trainer(made, Training(steps=3, batch=4, chunk=4, path=kind), x, y, 0, workers)


def work(trainer):
    rng = np.random.default_rng(1)
    rows = [np.sort(rng.choice(400, rng.integers(2, 12), replace=False)) for _ in range(CLIENTS)]
    return Work(trainer.initial_params, trainer.initial_buffers, np.arange(CLIENTS) * 3, rows, 2)


def asked(trainer):
    """A round's updates and all else, with what is wanted of them."""
    job, rng = work(trainer), np.random.default_rng(2)
    ways = rng.normal(size=(2, trainer.n_params)).astype(np.float32)
    wanted = Wanted(np.array([len(rows) for rows in job.rows], float), DIMS, ways)
    return trainer.train(replace(job, wanted=wanted)), wanted


def same(one, other, wanted):
    """To the bit."""
    for name in ("buffers", "losses", "processed", "steps", "sums"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.told.combine(wanted.shares), other.told.combine(wanted.shares))
    np.testing.assert_array_equal(one.told.norms(), other.told.norms())
    np.testing.assert_array_equal(one.told.sketch(DIMS), other.told.sketch(DIMS))
    np.testing.assert_array_equal(one.told.along(wanted.ways), other.told.along(wanted.ways))


def test_a_round_that_can_be_held_is_held(monkeypatch):
    made = trainer("lean")
    assert type(asked(made)[0].told) is Updates
    monkeypatch.setattr(streamed, "HELD", CLIENTS * made.n_params)
    assert type(asked(made)[0].told) is Updates
    monkeypatch.setattr(streamed, "HELD", CLIENTS * made.n_params - 1)
    assert type(asked(made)[0].told) is Streamed
    assert type(made.train(work(made)).told) is Updates  # nobody said what would be asked


@pytest.mark.parametrize("kind", ["dense", "lean", *(["native"] if compiled() else [])])
def test_a_round_that_is_not_held_says_the_same(kind, monkeypatch):
    made = trainer(kind)
    held = made.train(work(made))
    monkeypatch.setattr(streamed, "HELD", 0)
    found, wanted = asked(made)
    rows = held.updates.copy()
    reference = Streamed(_heard(wanted, rows), no_more)
    assert type(found.told) is Streamed and np.abs(rows).max() > 0.01
    for name in ("buffers", "losses", "sums"):
        np.testing.assert_array_equal(getattr(found, name), getattr(held, name))
    np.testing.assert_array_equal(found.told.combine(wanted.shares), reference.combine(wanted.shares))
    np.testing.assert_array_equal(found.told.sketch(DIMS), reference.sketch(DIMS))
    np.testing.assert_array_equal(found.told.rows, rows)  # trained again


def _heard(wanted, rows):
    answers = Answers(wanted, rows.shape[1])
    answers.hear(0, rows)
    return answers.closed()


@pytest.mark.parametrize("kind", ["dense", "lean"])
def test_units_move_no_bit(kind, monkeypatch):
    monkeypatch.setattr(streamed, "HELD", 0)
    alone = trainer(kind)
    expected, wanted = asked(alone)
    monkeypatch.setattr(flow, "UNIT", 1)  # as few clients at a time as the path allows
    same(asked(alone)[0], expected, wanted)


def test_neither_workers_nor_their_death_move_a_bit(monkeypatch):
    monkeypatch.setattr(streamed, "HELD", 0)
    expected, wanted = asked(trainer("dense"))
    many = trainer("dense", 2)
    try:
        same(asked(many)[0], expected, wanted)
        for worker in list(many._pool.hands._executor._processes):
            os.kill(worker, signal.SIGKILL)
        same(asked(many)[0], expected, wanted)
    finally:
        many.close()


class Hands:
    """Answers with the part itself; parts named in `fails` are lost that often before."""

    lost = (OSError,)

    def __init__(self, fails):
        self.fails, self.open, self.most, self.renewed = fails, 0, 0, 0

    def submit(self, part):
        self.open += 1
        self.most = max(self.most, self.open)
        return lambda: self._answer(part)

    def _answer(self, part):
        self.open -= 1
        if self.fails.get(part, 0):
            self.fails[part] -= 1
            raise OSError("gone")
        return part

    def renew(self):
        self.renewed, self.open = self.renewed + 1, 0


def test_parts_are_taken_in_turn_and_done_again():
    hands = Hands({3: 2, 5: 1})
    assert list(flow.in_turn(hands, list(range(8)), 3, 2)) == list(range(8))
    assert (hands.renewed, hands.most) == (3, 3)


def test_workers_that_keep_dying_are_given_up():
    with pytest.raises(RunError, match=r"2 workers keep dying \(gone\); is memory short\? Lower --workers"):
        list(flow.in_turn(Hands({3: 3}), list(range(8)), 3, 2))


def test_nobody_writes_any_more_when_a_round_ends_early():
    hands = Hands({})
    turns = flow.in_turn(hands, list(range(8)), 3, 2)
    assert next(turns) == 0
    assert hands.open == 2
    turns.close()
    assert hands.open <= 0
