"""The census among simulated clients: who is counted, that the protocol and its short cut agree, and what it costs."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pytest

from horae.engines import Simulation
from horae.experiment import load
from horae.population import AlwaysOnline
from horae.types import ROOT, Census, Charge, Cohort, CohortTree

CLIENTS = 50
EXPERIMENT = {
    "population": {"name": "digits-dirichlet", "clients": CLIENTS, "images_per_client": 12}, "seed": 3,
    "availability": {"name": "always"}, "clustering": {"name": "single"}, "baseline": "none", "participants": 10,
}  # fmt: skip
ASK = Census(n=1000, window=0, number=0, group=10, whole=False)


@dataclass(frozen=True)
class Hours:
    """Clients are there but for some from a second on, and leave at that second of theirs."""

    leaves: tuple[tuple[int, float], ...]

    def online(self, clients, at_s, seed):
        return at_s < self.until(clients, at_s, seed)

    def until(self, clients, at_s, seed):
        times = dict(self.leaves)
        return np.array([times.get(c, np.inf) for c in np.asarray(clients).tolist()])


@lru_cache
def world(rotated=False):
    more = {"population": {"name": "digits-rotated", "clients": CLIENTS}} if rotated else {}
    return load({**EXPERIMENT, **more}).world()


def engine(hours=None, clustering="single", check_in_s=0.0):
    experiment = load({**EXPERIMENT, "clustering": {"name": clustering}, "engine": {"check_in_s": check_in_s}})
    here = replace(world(clustering == "oracle"), availability=hours or AlwaysOnline())
    return Simulation(experiment.plan(), here, experiment.engine)


def labels(clients=None):
    people = world()
    held = people.population.train.rows(np.arange(CLIENTS) if clients is None else np.array(clients))
    return np.bincount(people.population.y[np.concatenate(held)], minlength=10)


def bills(simulation):
    charges, simulation._asking.charges = simulation._asking.charges, []
    return charges


# ---------------------------------------------------------------- who


def test_everybody_is_counted_once_in_a_window():
    simulation = engine()
    first = simulation.ask(replace(ASK, n=30))
    assert (first.clients.tolist(), first.dropped, first.refused) == ([10, 10, 10], 0, 0)
    rest = simulation.ask(replace(ASK, number=1))
    assert rest.clients.tolist() == [10, 10]
    assert (first.labels.sum(axis=0) + rest.labels.sum(axis=0)).tolist() == labels().tolist()
    again = simulation.ask(replace(ASK, number=2))
    assert again.clients.size == 0 and again.labels.shape == (0, 10)


@pytest.mark.parametrize("sticky", [True, False])
def test_the_next_window_counts_them_all_again(sticky):
    simulation = engine()
    for window in range(3):
        found = simulation.ask(replace(ASK, window=window, number=window, sticky=sticky, group=25))
        assert found.clients.tolist() == [25, 25]
        assert found.labels.sum(axis=0).tolist() == labels().tolist()
        assert found.groups.tolist() == ([0, 1] if sticky else [-1, -1])
        if not sticky:
            break  # other lots of the same clients: see the auditor below


def test_sticky_groups_stay_as_they_are():
    simulation = engine()
    one, other = (simulation.ask(replace(ASK, window=w, number=w)) for w in (0, 1))
    assert one.groups.tolist() == other.groups.tolist() == [0, 1, 2, 3, 4]
    assert one.labels.tolist() == other.labels.tolist()


def test_a_group_that_is_not_whole_waits():
    simulation = engine(Hours(((0, 100.0), (1, 100.0))))
    assert simulation.ask(ASK).clients.sum() == CLIENTS
    simulation._now_s = 200.0
    groups = simulation._asking.counting._groups[ROOT]
    without = [i for i, group in enumerate(groups) if not group & {0, 1}]
    assert simulation.ask(replace(ASK, window=1, number=1)).groups.tolist() == without


@pytest.mark.parametrize("whole", [True, False])
def test_who_leaves_in_the_middle_is_in_no_total(whole):
    simulation = engine(Hours(((4, 30.0), (9, 59.0), (17, 61.0))))  # seconds; who stays for a minute is counted
    found = simulation.ask(replace(ASK, group=50, whole=whole))
    assert (found.clients.tolist(), found.dropped) == ([48], 2)
    assert found.labels[0].tolist() == (labels() - labels([4, 9])).tolist()


def test_who_comes_with_the_check_in_is_no_leaver():
    """Half of them are not there yet when the census is called, and all are when it begins."""

    class Later(AlwaysOnline):
        def until(self, clients, at_s, seed):
            comes = np.where(np.asarray(clients) % 2, 1000.0, 0.0)
            return np.where(comes <= at_s, np.inf, at_s)

    found = engine(Later(), check_in_s=1800.0).ask(ASK)
    assert (int(found.clients.sum()), found.dropped) == (CLIENTS, 0)


@pytest.mark.parametrize("sticky", [True, False])
def test_fewer_than_ten_are_not_counted(sticky):
    simulation = engine(Hours(tuple((c, 0.0) for c in range(9, CLIENTS))))
    found = simulation.ask(replace(ASK, sticky=sticky))
    assert found.clients.size == 0 and found.labels.shape == (0, 10) and bills(simulation) == []


def test_survivors_below_ten_release_nothing():
    for whole in (True, False):
        simulation = engine(Hours(tuple((c, 0.0 if c > 9 else 30.0 if c == 9 else 1e9) for c in range(CLIENTS))))
        found = simulation.ask(replace(ASK, whole=whole))
        assert (found.clients.size, found.dropped, found.refused) == (0, 10, 1)


def test_a_cohorts_census_counts_its_own_clients_alone():
    simulation, nothing = engine(clustering="oracle"), np.zeros(0, np.float32)
    people = world(rotated=True).population
    tree = CohortTree({(i,): Cohort(path=(i,), params=nothing, buffers=nothing) for i in range(4)}, {ROOT: 4})
    leaves, home = simulation.homes(tree, np.arange(CLIENTS))
    for i, leaf in enumerate(leaves):
        found = simulation.ask(replace(ASK, tree=tree, path=leaf, sticky=False, group=50))
        mine = np.concatenate(people.train.rows(np.flatnonzero(home == i)))
        assert found.clients.tolist() == [np.sum(home == i)]
        assert found.labels[0].tolist() == np.bincount(people.y[mine], minlength=10).tolist()


# ---------------------------------------------------------------- the protocol and its short cut


def told(simulation, windows=3, **more):
    """Totals and bills of some windows."""
    out = []
    for window in range(windows):
        found = simulation.ask(replace(ASK, window=window, number=window, **more))
        table = dict(zip(found.groups.tolist(), found.labels.tolist(), strict=True))
        out.append((table, found.clients.tolist(), found.dropped, found.refused, bills(simulation)))
    return out


@pytest.mark.parametrize("transport", ["star", "chain"])
@pytest.mark.parametrize("group", [10, 25])
def test_running_the_protocol_and_summing_give_the_same_totals_and_bytes(transport, group):
    ran, summed = (told(engine(), group=group, transport=transport, whole=whole) for whole in (True, False))
    assert ran == summed
    assert len(ran[0][0]) == CLIENTS // group
    (bill, *_) = ran[0][4]
    assert (bill.purpose, bill.participations, bill.flops) == ("census", group, 0)
    assert bill.nbytes_up > group * 20 * 8 and bill.nbytes_down > 0  # ten labels and three more words, and the keys
    # the devices are those of everybody else's rounds, and everybody moves the same number of bytes
    assert bill.client_s > 0


@pytest.mark.parametrize("whole", [True, False])
def test_all_but_one_is_refused_by_the_clients(whole):
    """50 in the first window, 49 in the second: the difference would be client 7's own counts."""
    simulation = engine(Hours(((7, 100.0),)))
    ask = replace(ASK, sticky=False, group=100, whole=whole)
    assert simulation.ask(ask).clients.tolist() == [50]
    simulation._now_s = 200.0
    found = simulation.ask(replace(ask, window=1, number=1))
    assert (found.clients.tolist(), found.refused, found.dropped) == ([], 1, 49)
    assert [bill.purpose for bill in bills(simulation)] == ["census"] * 2  # what was refused had a price, too


@pytest.mark.parametrize("whole", [True, False])
def test_a_restored_engine_gives_the_same_next_totals(whole):
    hours = Hours(((7, 100.0), (8, 150.0), (9, 230.0)))

    def go_on(simulation):
        simulation._now_s = 200.0
        found = [simulation.ask(replace(ASK, n=1000, window=w, number=w, whole=whole)) for w in (0, 1, 2)]
        loose = simulation.ask(replace(ASK, window=3, number=3, whole=whole, sticky=False, group=100))
        rows = [[f.groups.tolist(), f.labels.tolist(), f.clients.tolist(), f.dropped, f.refused] for f in found]
        return rows, loose.refused, bills(simulation)

    simulation = engine(hours)
    assert simulation.ask(replace(ASK, n=20, whole=whole)).clients.sum() == 20
    state, second = simulation.snapshot(), engine(hours)
    second.restore(state)
    bills(simulation)
    assert go_on(simulation) == go_on(second)


def test_charges_are_in_the_ledger_in_its_own_line():
    simulation = engine()
    simulation.ask(ASK)
    charges = [charge for charge in simulation._billed() if isinstance(charge, Charge)]
    assert {charge.purpose for charge in charges} == {"census"} and len(charges) == 5
