"""Windows of the census, by hand: when clients are counted, and what the target is meanwhile."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from horae.alignment import Halor
from horae.alignment.windows import Window, told
from horae.types import ROOT, Census, Cohort, CohortTree, Count

EVERYBODY = Halor(window_clients=40, window_rounds=3, every=5, ema=0.25)


def count(*rows, groups=None, clients=10, dropped=0, refused=0):
    """Totals of two labels; group numbers 0, 1, ... unless given."""
    numbers = list(range(len(rows))) if groups is None else groups
    labels = np.array(rows, np.int64).reshape(-1, 2)
    return Count(np.array(numbers, np.int64), labels, np.full(len(rows), clients), dropped, refused)


@dataclass
class Answers:
    """Answers censuses from a list, then with nothing; keeps what was asked."""

    counts: list = field(default_factory=list)
    asked: list = field(default_factory=list)

    def __call__(self, work):
        assert isinstance(work, Census)
        self.asked.append(work)
        return self.counts.pop(0) if self.counts else count()


@dataclass
class Turn:
    path: tuple = ROOT

    @property
    def round(self):
        return self


def cohort(path):
    nothing = np.zeros(0, np.float32)
    return Cohort(path=path, params=nothing, buffers=nothing, algorithm=None, selector=None, clustering=None)


def tree(*paths):
    return CohortTree({path: cohort(path) for path in paths})


def rounds(halor, state, ask, n, paths=(ROOT,), path=ROOT):
    """So many rounds of one cohort; the state, and the news by round."""
    news = []
    for _ in range(n):
        state, more = halor.learn(state, Turn(path), tree(*paths), ask)
        news.append([(one["what"], one["window"]) for one in more])
    return state, news


def test_a_window_is_open_from_the_start_and_there_is_no_target():
    state = EVERYBODY.begin(0)
    assert state[ROOT].open and state[ROOT].number == 0
    assert EVERYBODY.target(state, ROOT) is None


def test_it_closes_when_it_is_full():
    ask = Answers([count([6, 2], clients=20), count([0, 8], clients=19, dropped=1, groups=[1])])
    state, news = rounds(EVERYBODY, EVERYBODY.begin(0), ask, 2)
    assert news == [[], [("closed", 0)]]  # 20, then 40 with the one that was lost
    assert [work.n for work in ask.asked] == [40, 20]
    assert EVERYBODY.target(state, ROOT).tolist() == [6 / 16, 10 / 16]
    assert (state[ROOT].counted, state[ROOT].closed, state[ROOT].since) == (40, 2, 2)


def test_it_closes_after_its_rounds_but_never_before_it_has_heard_of_anybody():
    _, news = rounds(EVERYBODY, EVERYBODY.begin(0), Answers([count([1, 3])]), 4)
    assert news == [[], [], [("closed", 0)], []]
    late = Answers([count(), count(), count(), count(), count([1, 3]), count()])
    state, news = rounds(EVERYBODY, EVERYBODY.begin(0), late, 6)
    assert news == [[], [], [], [], [("closed", 0)], []]
    assert EVERYBODY.target(state, ROOT).tolist() == [0.25, 0.75]


def test_totals_of_nobodys_samples_close_nothing():
    state, news = rounds(EVERYBODY, EVERYBODY.begin(0), Answers([count([0, 0], clients=40)]), 5)
    assert news == [[]] * 5 and EVERYBODY.target(state, ROOT) is None


def test_the_next_window_opens_every_so_many_rounds_and_moves_the_target_by_rho():
    ask = Answers([count([8, 0], clients=40), count([0, 8], clients=40)])
    state, news = rounds(EVERYBODY, EVERYBODY.begin(0), ask, 6)
    assert news == [[("closed", 0)], [], [], [], [], [("closed", 1)]]  # closed at 1, opened at 1 + 5
    assert len(ask.asked) == 2  # nobody is asked between windows
    # g = .75 (1, 0) + .25 (0, 1): group 0's latest total is all there is
    assert EVERYBODY.target(state, ROOT).tolist() == [0.75, 0.25]
    assert [work.window for work in ask.asked] == [0, 1]


def test_totals_of_sticky_groups_that_are_not_there_are_carried_forward():
    ask = Answers([count([8, 0], [0, 8], clients=20), count([0, 24], groups=[0], clients=20)])
    halor = replace(EVERYBODY, ema=1.0)
    state, news = rounds(halor, halor.begin(0), ask, 8)
    assert news[5:] == [[], [], [("closed", 1)]]  # 20 of 40: after three rounds
    assert halor.target(state, ROOT).tolist() == [0, 1]  # group 0 has 24 of the second label now, group 1 its 8
    assert {n: row.tolist() for n, row in state[ROOT].groups.items()} == {0: [0, 24], 1: [0, 8]}


def test_lots_that_are_not_groups_are_counted_anew_every_window():
    ask = Answers([count([8, 0], [0, 8], groups=[-1, -1], clients=20), count([6, 2], groups=[-1], clients=40)])
    halor = replace(EVERYBODY, ema=1.0, sticky=False)
    state, _ = rounds(halor, halor.begin(0), ask, 6)
    assert halor.target(state, ROOT).tolist() == [0.75, 0.25]  # the second window's alone
    assert state[ROOT].groups == {}


def test_noise_below_zero_counts_as_nothing():
    state, _ = rounds(EVERYBODY, EVERYBODY.begin(0), Answers([count([-3, 9], clients=40)]), 1)
    assert EVERYBODY.target(state, ROOT).tolist() == [0, 1]


def test_a_target_that_nobody_renews_is_called_stale_once():
    ask = Answers([count([8, 0], clients=40)])
    _, news = rounds(EVERYBODY, EVERYBODY.begin(0), ask, 20)
    flat = [(i + 1, *one) for i, news in enumerate(news) for one in news]
    assert flat == [(1, "closed", 0), (11, "stale", 1)]  # made in round 1; 2 x 5 rounds later


def test_what_the_log_hears_names_nobody():
    before = Window(seen=4, target=np.array([1.0, 0.0]), counted=20)
    after = replace(before, target=np.array([0.25, 0.75]), seen=5, since=5, refused=2)
    news = told((1,), "closed", before, after)
    assert news == {
        "event": "census", "cohort": (1,), "what": "closed", "window": 0, "counted": 20, "refused": 2, "age": 0,
        "moved": 0.75, "target": [0.25, 0.75],
    }  # fmt: skip
    assert told((), "closed", Window(), after)["moved"] is None


# ---------------------------------------------------------------- cohorts


def test_a_cohort_has_its_ancestors_target_until_its_own_window_closes():
    halor = replace(EVERYBODY, whose="cohort")
    state, _ = rounds(halor, halor.begin(0), Answers([count([4, 4], clients=40)]), 1)
    leaves, child = ((0,), (1,)), (0,)
    assert halor.target(state, child).tolist() == halor.target(state, (0, 1)).tolist() == [0.5, 0.5]
    ask = Answers([count([9, 0], clients=10), count(), count()])
    state, news = rounds(halor, state, ask, 2, leaves, child)
    assert halor.target(state, child).tolist() == [0.5, 0.5] and news == [[], []]
    state, news = rounds(halor, state, ask, 1, leaves, child)
    assert news == [[("closed", 0)]]
    assert halor.target(state, child).tolist() == [1, 0]
    assert halor.target(state, (0, 1)).tolist() == [1, 0]  # its own child's, meanwhile
    assert halor.target(state, (1,)).tolist() == [0.5, 0.5]
    assert [(work.path, work.tree.paths()) for work in ask.asked] == [(child, leaves)] * 3


def test_everybodys_census_goes_on_whichever_cohort_had_a_round():
    ask = Answers([count([4, 4], clients=20), count([4, 12], groups=[1], clients=20)])
    state, _ = rounds(EVERYBODY, EVERYBODY.begin(0), ask, 1, ((0,), (1,)), (0,))
    state, news = rounds(EVERYBODY, state, ask, 1, ((0,), (1,)), (1,))
    assert news == [[("closed", 0)]] and set(state) == {ROOT}
    assert EVERYBODY.target(state, (1,)).tolist() == [8 / 24, 16 / 24]
    assert [(work.path, work.tree) for work in ask.asked] == [(ROOT, None)] * 2


@pytest.mark.parametrize(("counted", "seen", "due"), [(39, 2, False), (40, 0, True), (1, 3, True), (0, 99, False)])
def test_when_a_window_is_due(counted, seen, due):
    fresh = np.array([1.0, 1.0]) if counted else None
    assert Window(counted=counted, seen=seen, fresh=fresh).due(40, 3) is due
