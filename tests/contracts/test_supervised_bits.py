"""Every algorithm and every rule: a step in an aggregator is the loop's, to the bit, over updates of all kinds."""

from dataclasses import replace

import numpy as np
import pytest

from horae.aggregation import AGGREGATION
from horae.algorithms import ALGORITHMS, FedAvg, Scaffold
from horae.engines.remote import Arrival, RemoteUpdates
from horae.federate import aggregate
from horae.pure.packing import pack
from horae.selectors import SELECTORS, Uniform
from horae.supervised.host import Host
from horae.supervised.supervisor import Supervisor
from horae.types import Cohort, Held, Outcome, Ref, Round, Server, SparseUpdates, Submodel, Updates

CLIENTS, PARAMS = 5, 40


class Near:
    """An aggregator in this process."""

    def __init__(self):
        self.host = Host()

    def ask(self, request, timeout_s):
        return self.host.answer(request)

    def end(self):
        pass


class Shelf:
    """A data plane that this process alone reaches."""

    address = "inline:7"

    def __init__(self, rows):
        self.rows = rows

    def get(self, ref, timeout_s=60.0):
        return {"update": self.rows[int(ref.key)]}


def dense(rows):
    return Updates(rows)


def lying(rows):
    arrivals = (Arrival(i, Ref(str(i), 0), float(np.linalg.norm(row))) for i, row in enumerate(rows))
    return RemoteUpdates(tuple(arrivals), Shelf(rows), PARAMS)


def masked(rows):
    return lying(rows).masked(np.arange(PARAMS) % 3 > 0)


def sparse(rows):
    """A head of 10 weights, and a table of 10 rows of 3, of which each client changed two."""
    rng = np.random.default_rng(1)
    names = np.stack([rng.choice(10, 2, replace=False) for _ in rows]).astype(np.int32)
    values = np.ascontiguousarray(rows[:, 10:16].reshape(-1, 2, 3))
    return SparseUpdates(rows[:, :10], names, values, np.full(len(rows), 2), 10)


def outcomes(kind, rounds=3, held=None):
    rng = np.random.default_rng(0)
    for number in range(rounds):
        rows = rng.normal(size=(CLIENTS, PARAMS)).astype(np.float32)
        clients, doubt = np.arange(CLIENTS), np.full(CLIENTS, np.nan)
        round = Round((1,), number, Ref("m", 0), clients, CLIENTS, 60.0, doubt, np.zeros(CLIENTS, bool))
        yield Outcome(
            round, 0.0, 1.0, clients, kind(rows), rng.normal(size=3).astype(np.float32), rng.integers(1, 9, CLIENTS),
            rng.uniform(0.1, 2, CLIENTS), rng.uniform(1, 9, CLIENTS), doubt, np.zeros(CLIENTS, bool),
            steps=np.full(CLIENTS, 4), lr=0.1, population=50, held=held, staleness=rng.integers(0, 3, CLIENTS),
            extra=rng.normal(size=PARAMS).astype(np.float32), seen=kind(rows * np.float32(0.5)),
        )  # fmt: skip


def same_as_the_loops(server, kind, held=None):
    """Three steps; after the second the model is changed outside, as pruning does."""
    supervisor = Supervisor(server, Near, 60.0)
    supervisor.keep(((1,),))
    first = np.linspace(-1, 1, PARAMS, dtype=np.float32)
    here = Cohort(
        (1,), first, np.zeros(3, np.float32), 0, server.algorithm.init(first), server.selector.init(), "kept", "kept"
    )
    there = here
    for outcome in outcomes(kind, held=held):
        here = aggregate(server, here, outcome)
        after, told = supervisor.step(there, outcome)
        assert after is not None and told == ()
        there = after
        assert pack(there) == pack(here)
        assert (there.params != first).any() and there.clustering == "kept"
        if there.round == 2:
            pruned = np.where(np.arange(PARAMS) < 5, np.float32(0), here.params)
            here, there = replace(here, params=pruned), replace(there, params=pruned)


@pytest.mark.parametrize("kind", [dense, lying])
@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_algorithms(name, kind):
    same_as_the_loops(Server(3, ALGORITHMS[name](), Uniform()), kind)


@pytest.mark.parametrize("kind", [dense, lying, masked, sparse])
@pytest.mark.parametrize("name", sorted(AGGREGATION))
def test_rules(name, kind):
    same_as_the_loops(Server(3, FedAvg(), Uniform(), AGGREGATION[name]()), kind)


@pytest.mark.parametrize("name", sorted(SELECTORS))
def test_selectors_learn_there(name):
    same_as_the_loops(Server(3, Scaffold(), SELECTORS[name]()), dense)


def test_weights_that_some_clients_train():
    keep = [np.arange(PARAMS) % 4 > 0, np.arange(PARAMS) < 30]
    held = Held(tuple(map(Submodel, keep)), np.array([0, 1, 0, 1, 1]))
    same_as_the_loops(Server(3, ALGORITHMS["fedyogi"](), Uniform()), dense, held)
