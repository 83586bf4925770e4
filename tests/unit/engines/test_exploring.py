"""Loss exploration on the hand-made clients of `test_simulation`, and dropped weights all the way round."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from horae.algorithms import FedAvgM, FedYogi
from horae.engines import Simulation
from horae.engines.exploring import _stops
from horae.engines.world import Pace
from horae.federate import Budget
from horae.population import Population
from horae.pruning import AutoFlip
from horae.training import Trainer, Training, Work
from horae.types import ROOT, Booked, Charge, Explore, Held, Layers, Speeds, Submodel

sys.path.insert(0, str(Path(__file__).parent))
from test_simulation import NBYTES, engine_of, invitation, plan, whole_run, world

pytestmark = pytest.mark.filterwarnings("error")
START = (np.full(6, 0.1, np.float32), np.zeros(0, np.float32))


def of(seconds, data=None, training=None):
    """An engine whose clients hold `data`, or those of `test_simulation`."""
    here = world(seconds)
    if data is not None:
        people = Population.from_arrays(data)
        trainer = Trainer(here.trainer.module, training or Training(steps=1, batch=4), people.x, people.y, 0)
        here = replace(here, population=people, trainer=trainer)
    return Simulation(plan(), here, Pace(check_in_s=0.0, min_clients=1)), here


def same_data(n, seed=0, odd=None):
    rng = np.random.default_rng(seed)
    own = (rng.normal(size=(8, 2)), np.array([0, 1] * 4))
    other = (rng.normal(size=(8, 2)), np.array([0, 1] * 4))
    return [other if i == odd else own for i in range(n)]


def explored(engine, **more):
    return engine.ask(Explore(*START, sums=("square", "signed", "absolute"), **more))


# ---------------------------------------------------------------- fact 1: what exploring is


def test_sums_are_those_of_the_clients_trained_one_by_one():
    engine, here = of([1.0, 2.0, 3.0])
    found = explored(engine, epochs=1)
    alone = []
    for client in range(3):
        rows = here.population.train_at(np.array([client]), 0.0)
        work = Work(*START, np.array([client]), rows, 0, steps=1)
        alone.append(here.trainer.train(work).updates[0].astype(np.float64).copy())
    np.testing.assert_allclose(found.sums["square"], np.sum(np.square(alone), axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.sums["signed"], np.sum(alone, axis=0), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(found.mean("absolute"), np.mean(np.abs(alone), axis=0), rtol=1e-6)
    assert (found.clients.tolist(), found.steps.tolist(), found.lr) == ([0, 1, 2], [1, 1, 1], 0.1)


def test_the_model_stays_as_it_is_and_nobody_explores_another_ones_copy():
    engine, _ = of([1.0] * 4)
    before = START[0].tobytes()
    one = explored(engine, epochs=3)
    two = explored(engine, epochs=3, clients=np.array([3, 1, 0, 2]))
    assert START[0].tobytes() == before
    for name, total in one.sums.items():
        np.testing.assert_allclose(two.sums[name], total, rtol=0, atol=1e-6)


def test_clients_with_the_same_data_find_what_one_of_them_finds():
    engine, _ = of([1.0] * 3)
    one = explored(engine, epochs=4, clients=np.array([1]))
    three = explored(engine, epochs=4, clients=np.array([1, 1, 1]))
    np.testing.assert_allclose(three.mean("square"), one.mean("square"), rtol=1e-6)
    np.testing.assert_allclose(three.mean("signed"), one.mean("signed"), rtol=1e-6)


@pytest.mark.parametrize("odd", [0, 1, 2])
def test_every_explorer_counts_the_first_as_well_as_the_last(odd):
    usual, other = (of([1.0] * 3, same_data(3, odd=which))[0] for which in (None, odd))
    assert np.abs(explored(usual, epochs=2).sums["square"] - explored(other, epochs=2).sums["square"]).max() > 1e-6


def test_only_those_asked_for_are_held_apart():
    engine, _ = of([1.0] * 3)
    assert explored(engine).squares is None
    found = explored(engine, each=True)
    np.testing.assert_allclose(found.squares.sum(axis=0), found.sums["square"], rtol=1e-6)


# ---------------------------------------------------------------- steps, patience, learning rates


def test_a_client_stops_after_patience_epochs_without_a_lower_loss():
    # Epochs of two steps of two samples; means 2, 1, 1.5, 1.25, 0.5: with patience 2 it ends after the fourth.
    sums = np.array([[4, 4, 2, 2, 3, 3, 2.5, 2.5, 1, 1]], float)
    counts = np.full((1, 10), 2)
    assert [e.tolist() for e in _stops(sums, counts, np.array([2]), 2)] == [[8], [1.25]]
    assert [e.tolist() for e in _stops(sums, counts, np.array([2]), 3)] == [[10], [0.5]]
    assert [e.tolist() for e in _stops(sums[:, :3], counts[:, :3], np.array([2]), 9)] == [[3], [1.0]]


def test_early_stoppers_end_where_they_would_have_if_nobody_had_gone_on():
    data, training = same_data(2), Training(steps=1, batch=3, lr=30.0)  # so steep that the loss soon rises
    engine, _ = of([1.0] * 2, data, training)
    stopped = explored(engine, epochs=12, patience=1)
    assert (stopped.steps < 24).any()
    again = explored(engine, clients=np.array([0]), epochs=12, steps=int(stopped.steps[0]))
    alone = explored(engine, clients=np.array([0]), epochs=12, patience=1)
    assert alone.steps.tolist() == again.steps.tolist() == stopped.steps[:1].tolist()
    np.testing.assert_array_equal(alone.sums["square"], again.sums["square"])


def test_a_step_budget_cuts_epochs_and_an_own_optimizer_is_used():
    engine, _ = of([1.0] * 2, same_data(2), Training(steps=1, batch=2))
    assert explored(engine, epochs=5).steps.tolist() == [15, 15]  # six training samples, batches of two
    assert explored(engine, epochs=5, steps=4).steps.tolist() == [4, 4]
    sgd, adam = explored(engine, lr=0.01), explored(engine, lr=0.01, optimizer="adam")
    assert sgd.lr == adam.lr == 0.01
    assert adam.mean("absolute").max() > 2 * sgd.mean("absolute").max()


def test_an_explorer_that_diverges_is_left_out():
    data = same_data(2)
    data[1] = (np.full((8, 2), 1e30), data[1][1])
    engine, _ = of([1.0] * 2, data, Training(steps=1, batch=8, lr=900.0))
    assert explored(engine, epochs=4).clients.tolist() == [0]


# ---------------------------------------------------------------- fact 8: what it costs


def test_exploring_is_billed_and_delays_the_first_round():
    made, engine = engine_of([10.0, 20.0])
    engine.ask(Explore(*START, epochs=2, sums=("square", "signed")))
    assert engine.opens_s == 120.0  # after the check-in, and the slowest explorer
    engine.start(invitation(made, engine, [0, 1], 2))
    (outcome,) = engine.finished()
    (bill,) = [c for c in outcome.charges if c.purpose == "exploration"]
    # Two clients, one epoch of 4 samples is one step: two steps of 4 samples, 3 x 8 FLOPs a sample.
    assert (bill.participations, bill.nbytes_down, bill.nbytes_up) == (2, 2 * NBYTES, 2 * 2 * NBYTES)
    assert (bill.flops, bill.sparse_flops, bill.client_s) == (2 * 2 * 4 * 24, 2 * 2 * 4 * 24, 30.0)


def test_an_earlier_exploration_is_booked_without_a_wait():
    made, engine = engine_of([10.0])
    engine.ask(Booked((Charge("exploration", 3, 100, 50, 7),)))
    assert engine.opens_s == 100.0
    engine.start(invitation(made, engine, [0], 1))
    (outcome,) = engine.finished()
    assert Charge("exploration", 3, 100, 50, 7) in outcome.charges


def test_speeds_and_layers_cost_nothing():
    _, engine = engine_of([10.0, 30.0, 20.0])
    assert engine.ask(Speeds(np.array([1, 2]))).ms_per_sample.tolist() == [30.0, 20.0]
    assert engine.ask(Speeds(n=2)).ms_per_sample.size == 2
    assert [t.name for t in engine.ask(Layers()).tensors] == ["weight", "bias"]
    assert engine.settle() == ()


# ---------------------------------------------------------------- facts 2, 4, 9: rounds under masks

KEEP = np.array([True, False, True, True, True, True])


class Fixed(AutoFlip):
    """Drops the second weight; client 1 holds the third one alone, if split."""

    halves = None

    def begin(self, params, buffers, seed, ask):
        return np.where(KEEP, params, 0).astype(np.float32), "state"

    def plan(self, state, number, invited, ask):
        if self.halves is None:
            return Held((Submodel(KEEP),))
        return Held(tuple(Submodel(keep) for keep in self.halves), invited % 2)

    def learn(self, state, params, outcome, ask, *, frozen):
        return params, state


@pytest.mark.parametrize("algorithm", [FedAvgM(), FedYogi()])
def test_a_dropped_weight_is_zero_after_every_step_and_the_servers_momentum(algorithm):
    tree, outcomes, _, _ = whole_run([1.0] * 4, algorithm=algorithm, pruning=Fixed(threshold=0.5))
    for outcome in outcomes:
        assert (outcome.updates.rows[:, ~KEEP] == 0).all() and (outcome.updates.rows[:, KEEP] != 0).any()
    assert tree[ROOT].params[1] == 0 and (tree[ROOT].params[KEEP] != 0).any()


def test_a_weight_goes_to_the_mean_of_those_who_train_it():
    class Halves(Fixed):
        halves = (np.array([1, 1, 0, 0, 1, 1], bool), np.array([1, 0, 0, 1, 1, 1], bool))

    tree, outcomes, _, _ = whole_run(
        [1.0] * 2, pruning=Halves(threshold=0.5), budget=Budget(participations=2), participants=2
    )
    (outcome,) = outcomes
    zero, one = outcome.updates.rows
    began = np.where(KEEP, 0.1, 0).astype(np.float32) * np.array([1, 1, 1, 1, 0, 0], np.float32)
    assert outcome.held.which.tolist() == [0, 1]
    want = began + np.array([(zero[0] + one[0]) / 2, zero[1], 0, one[3], *(zero[4:] + one[4:]) / 2], np.float32)
    np.testing.assert_allclose(tree[ROOT].params, want, rtol=1e-6)
    np.testing.assert_array_equal(outcome.unbent.updates.rows[:, 1:4], 0)  # compared where both have weights
    np.testing.assert_array_equal(outcome.unbent.updates.rows[:, [0, 4, 5]], outcome.updates.rows[:, [0, 4, 5]])


def test_no_threshold_is_no_pruning_to_the_last_bit():
    plain = whole_run([1.0, 2.0, 3.0])
    none = whole_run([1.0, 2.0, 3.0], pruning=AutoFlip(threshold=0.0))
    np.testing.assert_array_equal(plain[0][ROOT].params, none[0][ROOT].params)
    assert plain[2] == none[2]


def test_masks_travel_once_and_bytes_are_those_of_packed_payloads():
    _, outcomes, ledger, engine = whole_run(
        [1.0] * 2, pruning=Fixed(threshold=0.5), participants=2, budget=Budget(participations=4)
    )
    first, second = (next(c for c in o.charges if c.purpose == "train") for o in outcomes)
    assert first.nbytes_down - second.nbytes_down == 2 * 1  # six bits, a byte for each of two clients
    assert first.nbytes_up == second.nbytes_up == second.nbytes_down  # five values each way, and the header
    state = engine.snapshot()
    again = Simulation(plan(), world([1.0] * 2), Pace(check_in_s=0.0))
    again.restore(state)
    knows = again._learning.shapes
    invited = replace(invitation(plan(), again, [0, 1], 2), held=Held((Submodel(KEEP),)))
    assert knows.load(invited, ()).model.sum() == second.nbytes_down
    assert ledger.sparse_flops < ledger.flops  # 3 of 4 weights, but dense arithmetic pays for four
    assert ledger.flops == 2 * second.flops
