"""The loop, told stories by the scripted engine: two parameters, hand-made clients, exact numbers."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from horae.algorithms import FedAvg
from horae.alignment import Off
from horae.clustering import Auxo, Oracle, Single
from horae.data_planes import Inline
from horae.engines import Scripted
from horae.errors import RunError
from horae.federate import Budget, federate
from horae.pruning import Dense
from horae.pure.packing import pack, unpack
from horae.selectors import Uniform
from horae.types import Groups, Held, Plan, Split, Submodel

ZERO = (np.zeros(2, np.float32), np.zeros(0, np.float32))


class Notebook:
    def __init__(self):
        self.lines = []

    def round(self, outcome, tree, verdicts, feedback):
        self.lines.append((outcome.at_s, outcome.round.path, outcome.round.number, tuple(type(v) for v in verdicts)))


def plan(**changes) -> Plan:
    class Everyone:
        def spent(self, participations, simulated_s, nbytes):
            return simulated_s / 4

    base = Plan(0, 4, 1.5, Everyone(), FedAvg(), Uniform(), Single(), Dense(), Off(), (), Inline())
    return replace(base, **changes)


def ones(round):
    return np.ones((round.quorum, 2), np.float32)


def test_equal_updates_move_the_model_by_that_update_each_round():
    engine, notes = Scripted(ones, np.arange(10)), Notebook()
    tree = federate(plan(), ZERO, engine, notes).tree
    np.testing.assert_array_equal(tree[()].params, [4, 4])
    assert [line[0] for line in notes.lines] == [1, 2, 3, 4]
    assert tree[()].round == 4


def test_a_few_more_than_the_quorum_are_invited():
    engine = Scripted(ones, np.arange(10))
    federate(plan(), ZERO, engine, Notebook())
    assert [(r.invited.size, r.quorum) for r in engine.rounds] == [(6, 4)] * 4
    assert all(np.unique(r.invited).size == 6 for r in engine.rounds)


def test_the_model_is_evicted_after_its_round():
    plane = Inline()
    federate(plan(data_plane=plane), ZERO, Scripted(ones, np.arange(10)), Notebook())
    assert plane.stats()["objects"] == plane.stats()["nbytes"] == 0


def test_a_round_that_cannot_be_aggregated_is_written_down_before_the_run_ends():
    class Gone(FedAvg):
        def weigh(self, outcome):
            if outcome.round.number == 1:
                raise RunError("the update of client 3 is gone")
            return super().weigh(outcome)

    notes = Notebook()
    with pytest.raises(RunError, match="client 3 is gone"):
        federate(plan(algorithm=Gone()), ZERO, Scripted(ones, np.arange(10)), notes)
    assert notes.lines == [(1, (), 0, ()), (2, (), 1, ())]


def test_empty_rounds_leave_everything_as_it_was_and_patience_ends_them():
    class Never:
        def spent(self, *_):
            return 0.0

    engine, notes = Scripted(lambda r: np.zeros((0, 2), np.float32), np.arange(0)), Notebook()
    tree = federate(plan(budget=Never(), patience_s=2.5), ZERO, engine, notes).tree
    assert tree[()].round == 0
    assert len(notes.lines) == 3


def test_oracle_trains_the_planted_groups_side_by_side_and_shares_the_budget():
    engine = Scripted(ones, np.arange(10), {Groups: np.array([0, 1, 2])})
    tree = federate(plan(clustering=Oracle()), ZERO, engine, Notebook()).tree
    assert tree.paths() == ((0,), (1,), (2,))
    assert {r.path: r.quorum for r in engine.rounds} == {(0,): 2, (1,): 1, (2,): 1}


@dataclass(frozen=True)
class SplitOnce(Single):
    """Splits the root after its second round."""

    def reshape(self, state, path, tree, participants, spent):
        if path == () and tree[()].round == 2:
            return [Split(path, 1.0, 0.5, "because", 2, np.array([3, 5]), np.array([1, 0]))]
        return []

    def quota(self, tree, n):
        return {path: n // len(tree.paths()) for path in tree.paths()}


def test_a_split_hands_everything_down_and_tells_the_members():
    engine, notes = Scripted(ones, np.arange(10)), Notebook()
    tree = federate(plan(clustering=SplitOnce()), ZERO, engine, notes).tree
    assert [line[1:] for line in notes.lines[:2]] == [((), 0, ()), ((), 1, (Split,))]
    assert {line[1] for line in notes.lines[2:]} == {(0,), (1,)}
    assert next(line[2] for line in notes.lines if line[1] == (0,)) == 2  # rounds go on counting
    np.testing.assert_array_equal(tree[(0,)].params, np.full(2, float(tree[(0,)].round)))
    (news,) = engine.told
    assert (news.path, news.clients.tolist(), news.cluster.tolist(), news.visit) == ((), [3, 5], [1, 0], 0)
    assert news.leaves == ((0,), (1,))


@dataclass(frozen=True)
class DropFirst(Dense):
    """Only the second weight lives."""

    def begin(self, params, buffers, seed, ask):
        return params * np.array([0, 1], np.float32), None

    def plan(self, state, number, invited, ask):
        return Held((Submodel(np.array([False, True])),))


def test_a_dropped_weight_stays_zero_whatever_the_server_does():
    start = (np.array([5.0, 5.0], np.float32), ZERO[1])
    tree = federate(plan(pruning=DropFirst()), start, Scripted(ones, np.arange(10)), Notebook()).tree
    np.testing.assert_array_equal(tree[()].params, [0, 9])


@dataclass(frozen=True)
class Asked(Dense):
    """Notes whether its masks are frozen."""

    flags: list = field(default_factory=list)

    def learn(self, state, params, outcome, ask, *, frozen):
        self.flags.append(frozen)
        return params, None


def test_masks_are_frozen_while_a_clustering_may_still_split():
    searching, settled = Asked(), Asked()
    federate(plan(pruning=searching, clustering=Auxo(stop=0.5)), ZERO, Scripted(ones, np.arange(10)), Notebook())
    federate(plan(pruning=settled), ZERO, Scripted(ones, np.arange(10)), Notebook())
    assert searching.flags[0] and not searching.flags[-1] and searching.flags == sorted(searching.flags, reverse=True)
    assert not any(settled.flags)


@pytest.mark.parametrize("limit", ["participations", "simulated_s", "bytes"])
def test_each_budget_counts_its_own(limit):
    budget = Budget(**{limit: 10})
    used = {"participations": (5, 1.0, 1), "simulated_s": (1, 5.0, 1), "bytes": (1, 1.0, 5)}[limit]
    assert budget.spent(*used) == 0.5


def test_auxo_finds_two_planted_directions_and_keeps_its_budget():
    rng = np.random.default_rng(0)
    habit = rng.normal(size=(40, 8)).astype(np.float32) * 0.2  # each client's own idiosyncrasy
    habit[:20, 0] += 1
    habit[20:, 1] += 1

    def updates(round):
        return habit[round.invited[: round.quorum]]

    class Rounds:
        def spent(self, participations, simulated_s, nbytes):
            return simulated_s / 100

    start = (np.zeros(8, np.float32), np.zeros(0, np.float32))
    engine, notes = Scripted(updates, np.arange(40)), Notebook()
    auxo = Auxo(min_members=5, min_participants=2)
    federate(plan(clustering=auxo, participants=8, budget=Rounds(), overcommit=1.0), start, engine, notes)
    news = engine.told[next(i for i, f in enumerate(engine.told) if f.visit == 0)]
    assert len(set(zip((news.clients < 20).tolist(), news.cluster.tolist(), strict=True))) == 2
    assert news.leaves == ((0,), (1,))
    later = [r for r in engine.rounds if r.path in news.leaves]
    assert {r.quorum for r in later} == {4}


def test_an_update_that_is_not_finite_is_refused_and_spoils_nothing():
    def one_diverges(round):
        rows = ones(round)
        rows[0] = np.nan
        rows[1, 1] = 3e38  # finite, but its norm is not
        return rows

    refused = []

    class Refusals(Notebook):
        def round(self, outcome, tree, verdicts, feedback):
            refused.append((outcome.refused, len(outcome.updates), outcome.clients.size, outcome.claims.size))

    tree = federate(plan(), ZERO, Scripted(one_diverges, np.arange(10)), Refusals()).tree
    assert refused == [(2, 2, 2, 2)] * 4
    np.testing.assert_array_equal(tree[()].params, [4, 4])


class Stop(Exception):
    pass


class StopAt:
    """Notes where the run stood after its n-th round, and ends it there."""

    def __init__(self, n):
        self.n, self.seen = n, []

    def look(self, standing, engine, *, over):
        self.seen.append(standing)
        if len(self.seen) == self.n + 1:  # the first look is before the first round
            self.kept = unpack(pack((standing, engine.snapshot())))
            raise Stop


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_a_run_that_goes_on_from_where_it_stood_ends_as_if_it_had_never_stopped(n):
    whole, notes = Scripted(ones, np.arange(10)), Notebook()
    wanted = federate(plan(clustering=SplitOnce()), ZERO, whole, notes)
    first, begun, stop = Scripted(ones, np.arange(10)), Notebook(), StopAt(n)
    with pytest.raises(Stop):
        federate(plan(clustering=SplitOnce()), ZERO, first, begun, [stop])
    standing, state = stop.kept
    second, rest = Scripted(ones, np.arange(10)), Notebook()
    second.restore(state)
    found = federate(plan(clustering=SplitOnce()), standing, second, rest)
    assert begun.lines + rest.lines == notes.lines
    assert (found.running, found.ledger, found.spent, found.last_reply_s) == (
        wanted.running, wanted.ledger, wanted.spent, wanted.last_reply_s,
    )  # fmt: skip
    assert found.tree.paths() == wanted.tree.paths()
    for path in wanted.tree.paths():
        np.testing.assert_array_equal(found.tree[path].params, wanted.tree[path].params)


def test_observers_look_before_the_first_round_of_a_run_but_not_of_one_that_goes_on():
    looks = []

    class Look:
        def look(self, standing, engine, *, over):
            looks.append((engine.now_s, standing.spent, over))

    stop = StopAt(2)
    with pytest.raises(Stop):
        federate(plan(), ZERO, Scripted(ones, np.arange(10)), Notebook(), [Look(), stop])
    assert looks == [(0, 0, False), (1, 0.25, False), (2, 0.5, False)]
    engine = Scripted(ones, np.arange(10))
    engine.restore(stop.kept[1])
    federate(plan(), stop.kept[0], engine, Notebook(), [Look()])
    assert looks[3:] == [(3, 0.75, False), (4, 1, True)]


def test_more_take_part_once_that_share_of_the_budget_is_used():
    engine = Scripted(ones, np.arange(20))
    federate(plan(later=(0.5, 8)), ZERO, engine, Notebook())
    assert [(r.quorum, r.invited.size) for r in engine.rounds] == [(4, 6), (4, 6), (8, 12), (8, 12)]
