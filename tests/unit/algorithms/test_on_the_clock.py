"""What SCAFFOLD, Ditto, FTFA and FedBuff do to bytes, clock and clients in a simulation, and that they can be resumed.

Everybody holds five samples of two numbers, four of them for training. The model is one linear layer 2 -> 2: 24 bytes,
and 3 x 4 x 8 = 96 FLOPs for a step of four samples.
"""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from torch import nn

import horae
from horae.algorithms import FTFA, Ditto, FedAvg, FedBuff, FedProx, Scaffold
from horae.alignment import Off
from horae.clustering import Single
from horae.data_planes import Inline
from horae.engines import Simulation, World
from horae.engines.simulation import Pace
from horae.errors import Stopped
from horae.federate import Budget, federate
from horae.population import AlwaysOnline, Population
from horae.pruning import Dense
from horae.selectors import Uniform
from horae.training import Trainer, Training, Work
from horae.types import ROOT, Capacity, Correction, Evaluate, Plan

LR = 0.5


@dataclass(frozen=True)
class Phones:
    """Client i's participation lasts seconds[i]."""

    seconds: tuple[float, ...]

    def capacity(self, clients, seed):
        return Capacity(np.array(self.seconds)[clients], np.ones(len(clients)))


class Lasts:
    """A participation lasts what the device says, times the samples it processes beyond four."""

    def seconds(self, job, capacity):
        return capacity.ms_per_sample * job.n_samples / 4


class Notebook:
    def __init__(self):
        self.outcomes = []

    def round(self, outcome, tree, verdicts, feedback):
        self.outcomes.append(outcome)


def world(n, seconds):
    rng = np.random.default_rng(0)
    clients = [(rng.normal(size=(5, 2)), np.array([0, 1, 0, 1, 0])) for _ in range(n)]
    people, module = Population.from_arrays(clients), nn.Linear(2, 2)
    nn.init.constant_(module.weight, 0.1)
    nn.init.constant_(module.bias, 0.0)
    trainer = Trainer(module, Training(steps=1, batch=4, lr=LR), people.x, people.y, 0)
    return World(people, Phones(tuple(seconds)), AlwaysOnline(), trainer, Lasts())


def run(algorithm, rounds, seconds=(10.0, 10.0), participants=0, overcommit=1.0):
    q = participants or len(seconds)
    plan = Plan(0, q, overcommit, Budget(participations=rounds * q), algorithm, Uniform(), Single(), Dense(), Off(), (),
                Inline())  # fmt: skip
    here, notes = world(len(seconds), seconds), Notebook()
    engine = Simulation(plan, here, Pace(check_in_s=0.0, min_clients=1))
    end = federate(plan, (here.trainer.initial_params, here.trainer.initial_buffers), engine, notes)
    return end, notes.outcomes, engine, here


def updates_of(here, params, number, drift=None, prox=0.0):
    """What both clients would send in a round, one full-batch step, so -lr (g + drift)."""
    rows = here.population.train_at(np.arange(2), 0.0)
    work = Work(params, here.trainer.initial_buffers, np.arange(2), rows, number, ROOT, 1.0,
                Correction(prox=prox, drift=drift))  # fmt: skip
    return here.trainer.train(work).updates.copy()


def test_scaffold_s_second_round_goes_along_everybody_s_gradient():
    """Both take part in both rounds with K = 1: c_i = g_i(x0) and c = mean g_i(x0) after the first; then a client's
    update is -lr (g_i(x1) - g_i(x0) + c).
    """
    end, outcomes, engine, here = run(Scaffold(), 2)
    x0 = here.trainer.initial_params
    g0 = -updates_of(here, x0, 0) / LR
    np.testing.assert_allclose(outcomes[0].extra, g0.mean(axis=0), rtol=1e-5, atol=1e-7)
    x1 = x0 - LR * g0.mean(axis=0)
    g1 = -updates_of(here, x1, 1) / LR
    x2 = x1 - LR * (g1 - g0 + g0.mean(axis=0)).mean(axis=0)
    np.testing.assert_allclose(end.tree[ROOT].params, x2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(end.tree[ROOT].algorithm, g1.mean(axis=0), rtol=1e-4, atol=1e-6)
    kept = engine._learning.kept.of(np.arange(2), np.zeros(6, np.float32))
    np.testing.assert_allclose(kept, g1, rtol=1e-4, atol=1e-6)
    # what a clustering reads of the second round has no c - c_i in it
    np.testing.assert_allclose(outcomes[1].unbent.updates.rows, -LR * g1, rtol=1e-4, atol=1e-6)


def test_scaffold_s_vectors_are_on_the_ledger():
    for algorithm, times in ((FedAvg(), 1), (Scaffold(), 2)):
        bill = run(algorithm, 1)[0].ledger.by_purpose["train"]
        assert (bill.nbytes_down, bill.nbytes_up) == (2 * 24 * times, 2 * 24 * times)


def test_a_strong_prox_stays_nearer():
    """Two steps from w_t: the second one's gradient is bent by μ (w - w_t), against the way that was gone."""
    params = run(FedAvg(), 1)[3].trainer.initial_params
    went = []
    for mu in (0.0, 1.0):
        here = world(2, (10.0, 10.0))
        rows = here.population.train_at(np.arange(2), 0.0)
        correction = FedProx(mu=mu).correction(None)
        work = Work(params, here.trainer.initial_buffers, np.arange(2), rows, 0, correction=correction, steps=2)
        went.append(np.linalg.norm(here.trainer.train(work).updates, axis=1))
    assert (went[1] < went[0]).all()


def test_ditto_s_second_training_takes_time_and_flops_and_no_bytes():
    plain, _, usual, _ = run(FedAvg(), 1)
    both, _, longer, _ = run(Ditto(steps=2), 1)  # 4 samples, and 2 x 4 more
    assert (usual.now_s, longer.now_s) == (10.0, 30.0)
    one, other = plain.ledger.by_purpose["train"], both.ledger.by_purpose["train"]
    assert (one.flops, other.flops) == (2 * 96, 3 * 2 * 96)
    assert (one.nbytes_up, one.nbytes_down) == (other.nbytes_up, other.nbytes_down)
    np.testing.assert_array_equal(plain.tree[ROOT].params, both.tree[ROOT].params)  # w is FedAvg's


def test_ditto_s_own_models_by_hand():
    """v from w0 by one step, then from there with the pull λ (v - w1): v2 = v1 - lr (g(v1) + λ (v1 - w1))."""
    lam = 0.5
    _, _, engine, here = run(Ditto(lam=lam, steps=1), 2)
    w0 = here.trainer.initial_params
    w1 = w0 + updates_of(here, w0, 0).mean(axis=0)
    v1 = w0 + updates_of(here, w0, 0)
    for client in range(2):
        step = updates_of(here, v1[client], 1)[client]
        v2 = v1[client] + step - LR * lam * (v1[client] - w1)
        own = engine._learning.own.of(np.array([client]), w0)[0]
        np.testing.assert_allclose(own, v2, rtol=1e-5, atol=1e-6)


def test_ftfa_s_clients_are_tested_on_a_tuned_model_and_the_ledger_is_fedavg_s():
    plain, _, usual, here = run(FedAvg(), 2)
    tuned, _, engine, _ = run(FTFA(steps=30, lr=LR), 2)
    assert plain.ledger == tuned.ledger
    np.testing.assert_array_equal(plain.tree[ROOT].params, tuned.tree[ROOT].params)
    params = plain.tree[ROOT].params
    look = Evaluate(np.arange(2), (ROOT,), (params,), (here.trainer.initial_buffers,), np.zeros(2, int))
    shared, own = (e.ask(look, charge=False) for e in (usual, engine))
    assert not np.allclose(shared.losses, own.losses)


def test_fedbuff_s_stragglers_come_in_a_later_round():
    """Quorum 2 of 3 at work. Seconds 10, 10, 15: the third comes 5 s into the second round, one step stale."""
    end, outcomes, _, _ = run(FedBuff(), 2, (10.0, 10.0, 15.0), participants=2, overcommit=1.5)
    first, second = outcomes[:2]
    assert (first.clients.tolist(), first.at_s, first.staleness.tolist()) == ([0, 1], 10.0, [0, 0])
    assert 2 in second.clients
    assert second.staleness[second.clients.tolist().index(2)] == 1
    assert {c.purpose for o in outcomes for c in o.charges} == {"train"}  # nobody was cut
    assert end.ledger.by_purpose["straggler"].participations == 1  # one at work when the run ended
    cut = [c for o in run(FedAvg(), 2, (10.0, 10.0, 15.0), 2, 1.5)[1] for c in o.charges if c.purpose == "straggler"]
    assert sum(c.participations for c in cut) == 2


SMALL = {
    "name": "small", "participants": 10, "budget": {"participations": 100}, "baseline": "none",
    "clustering": {"name": "oracle"}, "population": {"name": "digits-rotated", "clients": 60},
    "availability": {"name": "always"}, "evaluation": {"every": 4}, "overcommit": 1.5,
}  # fmt: skip


@pytest.mark.parametrize("name", ["fedavgm", "fedadam", "scaffold", "ditto", "fedbuff"])
def test_stopped_and_resumed_is_the_same_as_never_stopped(tmp_path, name, monkeypatch):
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    table, left = {**SMALL, "algorithm": {"name": name}}, iter([False] * 9 + [True] * 99)
    whole = horae.run(table, out=tmp_path / "whole")
    with pytest.raises(Stopped):
        horae.run(table, out=tmp_path / "run", stop=lambda: next(left))
    again = horae.run(resume=tmp_path / "run")
    one, other = ((tmp_path / d / "events.jsonl").read_bytes() for d in ("whole", "run"))
    assert one == other
    for path, params in whole.models.items():
        np.testing.assert_array_equal(again.models[path], params)
    rounds = [json.loads(line) for line in one.splitlines() if b'"event":"round"' in line]
    assert len(rounds) >= 10  # some after the stop
