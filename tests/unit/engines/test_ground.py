"""Late replies, kept vectors, models of one's own, shared rounds, questions that cost: on the hand-made clients of
`test_simulation`.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from horae.algorithms import FedAvg
from horae.clustering.single import Single
from horae.engines import Simulation
from horae.engines.world import Pace
from horae.federate import Budget
from horae.pure.packing import pack, unpack
from horae.selectors import Uniform
from horae.types import (
    ROOT,
    Cohort,
    CohortTree,
    Correction,
    Evaluate,
    LabelCounts,
    Losses,
    Practise,
    Stay,
    Tuning,
    Wishes,
)

sys.path.insert(0, str(Path(__file__).parent))
from test_simulation import FLOPS, NBYTES, engine_of, invitation, plan, whole_run, world

pytestmark = pytest.mark.filterwarnings("error")


def late(made, engine, invited, quorum, number, carry=2):
    return replace(invitation(made, engine, invited, quorum), number=number, carry=carry)


# ---------------------------------------------------------------- late replies


def test_who_is_too_late_replies_to_the_next_round():
    made, engine = engine_of([10.0, 25.0, 12.0, 100.0], check_in_s=0.0)
    engine.start(late(made, engine, [0, 1], 1, 0))
    rounds = engine.finished()
    first = next(rounds)
    assert (first.at_s, first.clients.tolist(), first.staleness.tolist()) == (10.0, [0], [0])
    assert engine.carried(ROOT) == 1
    assert sum(c.participations for c in first.charges) == 1  # the late one is billed when it replies
    engine.start(late(made, engine, [2, 3], 2, 1))
    second = next(rounds)
    # client 1 began at 0 and is done at 25, 15 seconds into the second round; client 2 after 12
    assert (second.at_s, sorted(second.clients.tolist())) == (25.0, [1, 2])
    behind = dict(zip(second.clients.tolist(), second.staleness.tolist(), strict=True))
    assert behind == {2: 0, 1: 1}
    (bill,) = {c.nbytes_down for c in second.charges if c.purpose == "train"}
    assert (bill, sum(c.participations for c in second.charges)) == (NBYTES, 2)
    assert engine.carried(ROOT) == 1  # client 3


def test_a_late_update_starts_from_the_model_it_took():
    made, engine = engine_of([10.0, 15.0], check_in_s=0.0)
    engine.start(late(made, engine, [0, 1], 1, 0))
    rounds = engine.finished()
    next(rounds)
    moved = {"params": np.full(6, 5.0, np.float32), "buffers": np.zeros(0, np.float32)}
    other = replace(late(made, engine, [0], 2, 1), model=made.data_plane.put(moved, ROOT))
    engine.start(other)
    both = next(rounds)
    alone_made, alone = engine_of([10.0, 15.0], check_in_s=0.0)
    alone.start(invitation(alone_made, alone, [1], 1))
    (wanted,) = alone.finished()
    row = both.clients.tolist().index(1)
    assert np.array_equal(both.updates.rows[row], wanted.updates.rows[0])


def test_who_is_too_many_rounds_late_is_billed_and_forgotten():
    made, engine = engine_of([10.0, 1000.0, 10.0, 10.0], check_in_s=0.0)
    rounds = engine.finished()
    purposes = []
    for number, fresh in enumerate([0, 2, 3]):
        engine.start(late(made, engine, [fresh] + [1] * (number == 0), 1, number, carry=2))
        purposes.append([c.purpose for c in next(rounds).charges])
    assert engine.carried(ROOT) == 0  # two rounds late is the most, the third would be too late
    assert purposes == [["train"], ["train"], ["train", "straggler"]]
    assert engine.settle() == ()


def test_late_replies_survive_a_snapshot():
    def second_round(restored):
        made, engine = engine_of([10.0, 25.0, 12.0], check_in_s=0.0)
        engine.start(late(made, engine, [0, 1], 1, 0))
        next(engine.finished())
        if restored:
            state = unpack(pack(engine.snapshot()))
            made, engine = engine_of([10.0, 25.0, 12.0], check_in_s=0.0)
            engine.restore(state)
        engine.start(late(made, engine, [2], 2, 1))
        return next(engine.finished())

    one, two = second_round(False), second_round(True)
    assert np.array_equal(one.updates.rows, two.updates.rows)
    assert (one.at_s, one.clients.tolist()) == (two.at_s, two.clients.tolist())


# ---------------------------------------------------------------- what clients keep


@dataclass(frozen=True)
class Counting(FedAvg):
    """Every client keeps how often it took part, and says so."""

    vectors = (1, 2)

    def bend(self, correction, kept):
        return Correction(drift=0.0 * kept)

    def keep(self, correction, kept, updates, steps, lr):
        return kept + 1, kept


def test_clients_keep_vectors_whose_bytes_are_charged():
    _, outcomes, ledger, engine = whole_run([1.0] * 2, algorithm=Counting())
    assert [o.extra.tolist() for o in outcomes] == [[n] * 6 for n in (0.0, 1.0, 2.0)]
    assert ledger.nbytes_down == 6 * 2 * NBYTES
    assert ledger.nbytes_up == 6 * 3 * NBYTES
    assert engine.snapshot()["kept"][0][1].tolist() == [[3.0] * 6] * 2


@dataclass(frozen=True)
class Tuned(FedAvg):
    tuning = Tuning(steps=3)


@dataclass(frozen=True)
class Owned(FedAvg):
    tuning = Tuning(steps=1, prox=1.0, remembered=True)


def asked(engine, params):
    n = np.arange(2)
    return engine.ask(Evaluate(n, (ROOT,), (params,), (np.zeros(0, np.float32),), np.zeros(2, int)), charge=False)


def test_fine_tuned_clients_are_tested_on_models_of_their_own():
    params = np.zeros(6, np.float32)
    made, tuned = engine_of([1.0] * 2, algorithm=Tuned())
    _, plain = engine_of([1.0] * 2)
    assert asked(plain, params).losses.tolist() == pytest.approx([np.log(2)] * 2)
    assert not np.allclose(asked(tuned, params).losses, np.log(2))
    # the same three steps by hand, from the same model and with the batches of round 0
    work = world([1.0] * 2)
    from horae.training import Work

    own = work.trainer.train(Work(params, np.zeros(0, np.float32), np.arange(2),
                                  work.population.train.rows(np.arange(2)), 0, steps=3)).updates.copy()  # fmt: skip
    for client in range(2):
        rows = [work.population.test.row(client)]
        _, _, loss = work.trainer.evaluate(params + own[client], np.zeros(0, np.float32), rows)
        assert asked(tuned, params).losses[client] == pytest.approx(loss[0])
    assert made.algorithm.tuning.steps == 3


def test_a_model_of_ones_own_is_kept_between_rounds_and_pulled_back():
    _, outcomes, ledger, engine = whole_run([1.0] * 2, algorithm=Owned())
    clients, own = engine.snapshot()["kept"][1]
    assert clients.tolist() == [0, 1]
    assert np.abs(own).max() > 0
    assert ledger.flops == 6 * 2 * FLOPS  # every participation trains twice
    assert len(outcomes) == 3


# ---------------------------------------------------------------- questions that cost


def test_pre_training_costs_and_delays_the_next_round():
    made, engine = engine_of([10.0, 30.0], check_in_s=0.0)
    params = np.zeros(6, np.float32)
    found = engine.ask(Practise(params, np.zeros(0, np.float32), np.array([0, 1])))
    assert found.updates.rows.shape == (2, 6)
    engine.start(invitation(made, engine, [0], 1))
    (outcome,) = engine.finished()
    assert outcome.at_s == 40.0  # the slowest of the two, then client 0
    bill = next(c for c in outcome.charges if c.purpose == "pre-training")
    assert (bill.participations, bill.nbytes_up, bill.nbytes_down) == (2, 2 * NBYTES, 2 * NBYTES)
    assert bill.flops == 2 * FLOPS
    again = engine.ask(Practise(params, np.zeros(0, np.float32), np.array([0, 1])), charge=False)
    assert np.array_equal(found.updates.rows, again.updates.rows)
    assert engine.settle() == ()


def test_losses_cost_a_download_and_a_pass_for_each_model():
    _, engine = engine_of([10.0, 30.0])
    params = np.zeros(6, np.float32)
    nothing = np.zeros(0, np.float32)
    losses = engine.ask(Losses(np.array([0, 1]), (params, params, params), (nothing,) * 3))
    np.testing.assert_allclose(losses, np.log(2), rtol=1e-6)
    (bill,) = engine.settle()
    # three models of 24 bytes down and a number of 4 bytes up for each; four samples of 8 FLOPs for each
    assert (bill.nbytes_down, bill.nbytes_up, bill.flops) == (2 * 3 * NBYTES, 2 * 3 * 4, 2 * 3 * 4 * 8)


def test_labels_are_counted():
    _, engine = engine_of([1.0, 1.0])
    counts = engine.ask(LabelCounts(np.array([1, 0])))
    assert counts.sum(axis=1).tolist() == [4, 4]
    assert engine.settle()[0].nbytes_up == 2 * 2 * 4


# ---------------------------------------------------------------- rounds that cohorts share


@dataclass(frozen=True)
class Parity(Single):
    """Two cohorts, by the parity of a client's number; it counts shared rounds."""

    needs_losses: bool = False

    def prepare(self, tree, ask):
        return replace(tree.split(ROOT, 2, None), common=(0, 0))

    def request(self, records, offers, seed, *, explore):
        n = records.clients.size
        assert (records.losses is not None) == self.needs_losses
        if self.needs_losses:
            assert records.losses.shape == (n, 2)
        return Wishes(offers.paths(), records.clients % 2, np.full(n, np.nan), np.zeros(n, bool), np.zeros(n, int))

    def meet(self, tree, clients, ask):
        return replace(tree, common=(tree.common[0] + clients.size, tree.common[1]))

    def settle(self, tree, participants, spent, ask):
        met, rounds = tree.common
        return replace(tree, common=(met, rounds + 1)), [Stay(ROOT, 0.0, 0.0, f"shared round {rounds + 1}")]


def test_cohorts_share_rounds_and_wait_for_each_other():
    tree, outcomes, ledger, _ = whole_run(
        [1.0, 2.0, 1.0, 2.0], clustering=Parity(), participants=4, budget=Budget(participations=12)
    )
    assert [(o.round.path, o.at_s) for o in outcomes] == [
        ((0,), 1.0), ((1,), 2.0), ((0,), 3.0), ((1,), 4.0), ((0,), 5.0), ((1,), 6.0),
    ]  # fmt: skip
    assert tree.common == (12, 3)
    assert ledger.participations == 12
    assert [leaf.round for leaf in tree.leaves()] == [3, 3]


def test_comparing_models_is_charged_to_those_who_take_part():
    _, _, ledger, _ = whole_run(
        [1.0] * 4, clustering=Parity(needs_losses=True), participants=4, budget=Budget(participations=4)
    )
    bill = ledger.by_purpose["losses"]
    assert (bill.participations, bill.nbytes_down, bill.flops) == (4, 4 * 1 * NBYTES, 4 * 2 * 4 * 8)
    assert bill.nbytes_down + ledger.by_purpose["train"].nbytes_down == 4 * 2 * NBYTES  # each model travels once


class Noted:
    """A drift that changes nothing, and notes for which second it was asked."""

    def __init__(self):
        self.seconds = []

    def at(self, rows, clients, at_s):
        self.seconds.append(at_s)
        return rows


def test_models_are_compared_on_what_clients_hold_now():
    noted, made, here = Noted(), plan(clustering=Parity(needs_losses=True)), world([1.0] * 2)
    engine = Simulation(made, replace(here, population=replace(here.population, drift=noted)), Pace(check_in_s=0.0))
    engine._now_s = 7.0
    root = Cohort(ROOT, here.trainer.initial_params, here.trainer.initial_buffers)
    assert engine.route(Parity().prepare(CohortTree({ROOT: root}), None), np.array([0, 1])).tolist() == [0, 1]
    assert noted.seconds == [7.0]


def test_a_tree_is_recast_by_shares():
    def leaf(path, value, number):
        return Cohort(path, np.full(2, value, np.float32), np.full(1, value, np.float32), number)

    old = CohortTree({(0,): leaf((0,), 1.0, 7), (1,): leaf((1,), 5.0, 9)}, common="known")
    new = old.recast({(2,): {(0,): 0.75, (1,): 0.25}, (3,): {(1,): 1.0}})
    assert new.paths() == ((2,), (3,))
    assert (new[(2,)].params.tolist(), new[(2,)].buffers.tolist(), new[(2,)].round) == ([2.0, 2.0], [2.0], 7)
    assert (new[(3,)].params.tolist(), new[(3,)].round, new.common) == ([5.0, 5.0], 9, "known")


# ---------------------------------------------------------------- selectors that want to know more


@dataclass(frozen=True)
class Stayers(Uniform):
    def pick_staying(self, state, candidates, n, now_s, rng, stays):
        return candidates[stays(candidates, now_s, now_s + 50.0)][:n]


@dataclass(frozen=True)
class Worst(Uniform):
    def pick_by_loss(self, state, candidates, n, now_s, rng, losses):
        return np.sort(candidates[np.argsort(-losses(candidates), kind="stable")[:n]])


@dataclass(frozen=True)
class Slackers(Uniform):
    def efforts(self, state, invited):
        return np.where(invited == 0, 2.0, 1.0), np.where(invited == 0, 1.0, 0.0)


def test_a_selector_can_ask_who_stays():
    from test_simulation import Hours

    hours = Hours((0.0,) * 3, (40.0, 60.0, 45.0))
    _, outcomes, _, _ = whole_run([1.0] * 3, hours=hours, selector=Stayers(), participants=1,
                                  budget=Budget(participations=1))  # fmt: skip
    assert outcomes[0].clients.tolist() == [1]


def test_a_selector_can_ask_for_losses_at_their_price():
    _, _, ledger, _ = whole_run([1.0] * 3, selector=Worst(), participants=2, budget=Budget(participations=2))
    assert ledger.by_purpose["losses"].participations >= 2


def test_a_selector_sets_how_much_is_done_and_sent():
    _, outcomes, ledger, _ = whole_run([1.0] * 2, selector=Slackers(), budget=Budget(participations=2))
    (outcome,) = outcomes
    assert outcome.steps.tolist() == [2, 1]
    assert ledger.flops == 3 * FLOPS
    assert np.abs(outcome.updates.rows[0]).max() > 0
    assert not outcome.updates.rows[1].any()  # it sent nothing
    assert ledger.nbytes_up == NBYTES
