"""Aggregators that crash take their round with them, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from crashing_rules import Moody, Noted, Unstorable

from horae.algorithms import FedAvg, FedYogi
from horae.alignment import Off
from horae.clustering import Oracle, Single
from horae.data_planes import Inline
from horae.engines import Scripted
from horae.engines.site import Site
from horae.errors import ConfigError, RunError
from horae.federate import federate
from horae.pruning import Dense
from horae.selectors import Uniform
from horae.supervised.host import Host
from horae.supervised.placing import aggregator_of, check_aggregator
from horae.supervised.supervisor import Crash, Supervisor
from horae.types import Groups, Plan, Server, Split

ZERO = (np.zeros(2, np.float32), np.zeros(0, np.float32))


class Seconds:
    """A budget of seconds: a scripted round takes one."""

    def __init__(self, most):
        self.most = most

    def spent(self, participations, simulated_s, nbytes):
        return simulated_s / self.most


class Notebook:
    def __init__(self):
        self.outcomes, self.told = [], []

    def round(self, outcome, tree, verdicts, feedback):
        self.outcomes.append(outcome)
        self.told += outcome.news


class Near:
    """An aggregator in this process; it crashes at some of its calls."""

    begun = []  # noqa: RUF012

    def __init__(self, crashes=()):
        self.host, self.crashes, self.calls, self.ended, self.nbytes = Host(), crashes, 0, False, []
        Near.begun.append(self)

    def ask(self, request, timeout_s):
        self.calls += 1
        self.nbytes.append(len(request))
        if self.calls in self.crashes:
            raise Crash("worker lost", "it was killed")
        return self.host.answer(request)

    def end(self):
        self.ended = True


@pytest.fixture(autouse=True)
def _none_yet():
    Near.begun.clear()


def plan(seconds=4, **changes):
    base = Plan(0, 4, 1.0, Seconds(seconds), FedAvg(), Uniform(), Single(), Dense(), Off(), (), Inline())
    return replace(base, **changes)


def ones(round):
    return np.ones((round.quorum, 2), np.float32)


def supervised(plan, starts=Near):
    return Supervisor(Server(plan.seed, plan.algorithm, plan.selector, plan.aggregation), starts, 60.0)


def run(plan, engine=None, starts=Near):
    notes = Notebook()
    supervisor = supervised(plan, starts)
    standing = federate(replace(plan, aggregator=supervisor), ZERO, engine or Scripted(ones, np.arange(10)), notes)
    supervisor.close()
    return standing.tree, notes


def test_a_crash_loses_its_round_and_the_number_is_tried_again():
    """Of four rounds of ones the second is lost: the model is at 3, in three rounds."""
    homes = iter([Near((2,)), Near()])
    tree, notes = run(plan(), starts=lambda: next(homes))
    np.testing.assert_array_equal(tree[()].params, [3, 3])
    assert tree[()].round == 3
    assert [outcome.round.number for outcome in notes.outcomes] == [0, 1, 1, 2]
    (told,) = notes.told
    assert told == {
        "event": "failure", "cohort": (), "number": 1, "client": int(notes.outcomes[1].clients[0]), "aggregator": "0",
        "kind": "worker lost", "why": "cohort 0: it was killed; its round is lost and begun again",
    }  # fmt: skip
    assert [home.ended for home in Near.begun] == [True, True]


def test_crashes_that_are_not_in_a_row_never_end_a_run():
    """Every other call crashes: eight rounds, four of them lost."""
    tree, notes = run(plan(8), starts=lambda: Near((2,)))
    assert tree[()].round == 4 and len(notes.told) == 4


def test_the_third_crash_in_a_row_ends_the_run_in_one_line():
    with pytest.raises(RunError, match=r"cohort 0 crashed 3 times in a row .worker lost: it was killed") as caught:
        run(plan(), starts=lambda: Near((1,)))
    assert "\n" not in str(caught.value) and len(Near.begun) == 3


def test_siblings_do_not_notice():
    """Three cohorts side by side; cohort 1's second step is lost. The others' outcomes are as ever."""

    def told(crashes):
        homes = iter([Near(), Near(crashes), Near(), Near()])
        engine = Scripted(ones, np.arange(10), {Groups: np.array([0, 1, 2])})
        return run(plan(9, clustering=Oracle(), algorithm=FedYogi()), engine, lambda: next(homes))

    (calm, _), (tree, notes) = told(()), told((2,))
    for path in ((0,), (2,)):
        assert tree[path].params.tobytes() == calm[path].params.tobytes() and tree[path].round == calm[path].round
    assert tree[(1,)].round == calm[(1,)].round - 1 and [t["aggregator"] for t in notes.told] == ["0.1"]


class SplitOnce(Single):
    """Splits the root after its second round."""

    def reshape(self, state, path, tree, participants, spent):
        if path == () and tree[()].round == 2:
            return [Split(path, 1.0, 0.5, "because", 2, np.array([3, 5]), np.array([1, 0]))]
        return []

    def quota(self, tree, n):
        return {path: n // len(tree.paths()) for path in tree.paths()}


def test_children_have_aggregators_of_their_own_and_the_parents_is_ended():
    pln = plan(8, clustering=SplitOnce(), algorithm=FedYogi())
    tree, _ = run(pln)
    calm = federate(pln, ZERO, Scripted(ones, np.arange(10)), Notebook()).tree
    own = [tree[path].round - 2 for path in ((0,), (1,))]
    assert [home.calls for home in Near.begun] == [2, *own] and min(own) > 1
    assert all(home.ended for home in Near.begun)
    for path in tree.paths():
        assert tree[path].params.tobytes() == calm[path].params.tobytes()
        assert tree[path].algorithm.v.tobytes() == calm[path].algorithm.v.tobytes()


def test_a_states_arrays_are_sent_once():
    """A model of 10 000 weights and Yogi's two moments are 120 kB; two rounds later an update of 40 kB alone goes."""
    begin = (np.zeros(10_000, np.float32), np.zeros(0, np.float32))
    pln = plan(3, participants=1, algorithm=FedYogi())
    engine = Scripted(lambda r: np.ones((r.quorum, 10_000), np.float32), np.arange(10))
    federate(replace(pln, aggregator=supervised(pln)), begin, engine, Notebook())
    (home,) = Near.begun
    assert home.nbytes[0] > 160_000 and max(home.nbytes[1:]) < 45_000


def test_what_cannot_be_stored_is_a_crash():
    with pytest.raises(RunError, match=r"PackingError: .*algorithm.* is a set"):
        run(plan(algorithm=Unstorable()))


@pytest.mark.parametrize("where", ["process", "ray"])
def test_components_that_no_module_has_are_refused(where, monkeypatch):
    class Local(FedAvg):
        pass

    monkeypatch.setattr("horae.supervised.placing.find_spec", lambda name: name)
    with pytest.raises(ConfigError, match=r'should be "here" with this algorithm, .*Local, got .*; define it'):
        check_aggregator(Site(aggregation=where), plan(algorithm=Local()))
    with pytest.raises(ConfigError, match=r'"here" with this aggregation: at.* is a set'):
        check_aggregator(Site(aggregation=where), plan(aggregation=Moody("", {1})))
    check_aggregator(Site(), plan(algorithm=Local()))


def test_ray_is_asked_for_by_name(monkeypatch):
    monkeypatch.setattr("horae.supervised.placing.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'ray is not installed; pip install "horae\[ray\]"'):
        check_aggregator(Site(aggregation="ray"), plan())


def test_unknown_places_and_trees_are_refused():
    with pytest.raises(ConfigError, match=r"site.aggregation should be one of here, process, ray, got 'there'"):
        Site(aggregation="there")
    with pytest.raises(ConfigError, match=r"site.aggregation should be here with site.topology"):
        Site("inline", aggregation="process", topology="t.yml")


def test_here_is_the_loop():
    with aggregator_of(Site(), plan(algorithm=Noted())) as found:
        assert found is None
