"""The client's half of Auxo, on hand-made records."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.clustering import Auxo
from horae.clustering.policy import BONUS, choose, remember, request_nbytes
from horae.engines.store import ClientStore
from horae.types import ROOT, UNKNOWN, Cohort, CohortTree, Feedback, Records

AUXO = Auxo(epsilon=0.0)  # explores in round 0 alone
PAPER = Auxo(epsilon=0.0, reward="paper")
A, B, C = (0,), (1,), (2,)


def grown(*splits, round=5):
    """A tree after splits such as (ROOT, 3), its leaves in that round."""
    tree = CohortTree({ROOT: Cohort(ROOT, np.zeros(1, np.float32), np.zeros(0, np.float32), round=round)})
    for path, k in splits:
        tree = tree.split(path, k, None)
    return tree


THREE = grown((ROOT, 3))


def records(*clients, paths=(ROOT, A, B, C)):
    """One client per argument: {path: (reward, cluster, visits)} of the cohorts that it has heard of."""
    n, width = len(clients), len(paths)
    reward, cluster = np.zeros((n, width)), np.full((n, width), UNKNOWN)
    visits, heard = np.zeros((n, width), int), np.zeros((n, width), bool)
    for row, client in enumerate(clients):
        for path, (r, label, times) in client.items():
            i = paths.index(path)
            reward[row, i], cluster[row, i], visits[row, i], heard[row, i] = r, label, times, True
    return Records(np.arange(n), paths, reward, cluster, visits, heard, np.full(n, UNKNOWN))


def knows(a=(0.0, UNKNOWN, 0), b=(0.0, UNKNOWN, 0), c=(0.0, UNKNOWN, 0), child=UNKNOWN):
    """A client that has heard of the three children of the root; `child`: the one that a split gave it."""
    return {ROOT: (0.0, child, 1), A: a, B: b, C: c}


def nobody(ids, paths=()):
    n, w = len(ids), len(paths)
    empty = np.zeros((n, w))
    return Records(np.array(ids), paths, empty, np.full((n, w), UNKNOWN), empty.astype(int), empty.astype(bool),
                   np.full(n, UNKNOWN))  # fmt: skip


def asks(taste, client, tree=THREE, *, explore=True):
    wishes = choose(taste, records(client), tree, 0, explore=explore)
    return wishes.paths[wishes.choice[0]], wishes.claims[0], bool(wishes.exploring[0])


def answer(path, reward=np.nan, cluster=UNKNOWN, leaves=(A, B, C), towards=UNKNOWN, visit=1, clients=(0,)):
    n = len(clients)
    return Feedback(
        path, np.array(clients), np.full(n, reward), np.full(n, cluster), leaves, np.full(n, towards), visit
    )


def after(taste, client, feedback, paths=(ROOT, A, B, C)):
    """{path: reward} of a client after a message."""
    heard = remember(taste, records(client, paths=paths), feedback)
    return heard, dict(zip(heard.paths, heard.reward[0].tolist(), strict=True))


# ---------------------------------------------------------------- asking


def test_a_new_client_asks_for_a_leaf_at_random_but_the_same_every_time():
    four = grown((ROOT, 4))
    first = choose(AUXO, nobody(range(4000)), four, 3, explore=True)
    leaf = [first.paths[i] for i in first.choice]
    counts = [leaf.count(path) for path in four.paths()]
    assert all(abs(count - 1000) < 4 * np.sqrt(4000 * 0.25 * 0.75) for count in counts)
    assert first.exploring.all()
    assert np.isnan(first.claims).all()
    later = choose(AUXO, nobody(range(100, 140), (ROOT,)), grown((ROOT, 4), round=50), 3, explore=False)
    assert [later.paths[i] for i in later.choice] == leaf[100:140]
    other = choose(AUXO, nobody(range(4000)), four, 4, explore=True)
    assert [other.paths[i] for i in other.choice] != leaf


def test_where_there_is_one_cohort_everybody_asks_for_it_and_nobody_explores():
    wishes = choose(AUXO, nobody(range(5)), grown(), 0, explore=True)
    assert wishes.paths == (ROOT,)
    assert wishes.choice.tolist() == [0] * 5
    assert not wishes.exploring.any()
    assert wishes.nbytes.tolist() == [6] * 5  # length 1, reward 4, cluster 1


def test_a_request_is_as_long_as_its_path():
    assert [request_nbytes(path) for path in (ROOT, A, (1, 0, 2))] == [6, 7, 9]
    wishes = choose(AUXO, records(knows(a=(0.5, UNKNOWN, 1))), THREE, 0, explore=True)
    assert wishes.nbytes.tolist() == [7]


@pytest.mark.parametrize("taste", [AUXO, PAPER], ids=["measured", "paper"])
def test_it_goes_where_it_measured_the_best_reward(taste):
    client = knows(a=(0.2, UNKNOWN, 2), b=(0.6, UNKNOWN, 1), c=(0.4, UNKNOWN, 3))
    assert asks(taste, client) == (B, 0.6, False)


@given(
    st.floats(0.01, 1),
    st.floats(-5, 1.1),
    st.floats(-5, 1.1),
    st.sampled_from(["visited", "assigned"]),
    st.booleans(),
)
def test_no_prediction_makes_a_client_leave_what_it_was_given_or_liked(own, b, c, how, explore):
    mine = knows((own, UNKNOWN, 1), (b, UNKNOWN, 0), (c, UNKNOWN, 0))
    if how == "assigned":  # not even where it expects little there
        mine = knows((-own, UNKNOWN, 0), (b, UNKNOWN, 0), (c, UNKNOWN, 0), child=0)
    assert asks(AUXO, mine, explore=explore)[0] == A


def test_with_the_papers_rewards_predictions_count():
    client = knows((0.3, UNKNOWN, 1), (0.9, UNKNOWN, 0))
    assert asks(PAPER, client) == (B, 0.9, False)
    assert asks(AUXO, client) == (A, 0.3, False)


def test_an_outlier_that_nobody_assigned_goes_on_to_the_best_prediction():
    lost = knows((-0.5, UNKNOWN, 1), (-0.3, UNKNOWN, 0), (-0.1, UNKNOWN, 0))
    leaf, claim, exploring = asks(AUXO, lost)
    assert (leaf, exploring) == (C, True)
    assert np.isnan(claim)
    assert asks(AUXO, lost, explore=False) == (A, -0.5, False)  # where it would be scored meanwhile
    assert asks(PAPER, lost) == (C, -0.1, False)
    assigned = knows((-0.5, UNKNOWN, 1), (-0.3, UNKNOWN, 0), (-0.1, UNKNOWN, 0), child=0)
    assert asks(AUXO, assigned) == (A, -0.5, False)


def test_when_everything_is_visited_the_least_bad_is_home():
    assert asks(AUXO, knows((-0.5, UNKNOWN, 1), (-0.2, UNKNOWN, 1), (-0.9, UNKNOWN, 1))) == (B, -0.2, False)


def test_a_client_that_only_heard_of_leaves_tries_the_one_foretold_best():
    leaf, claim, exploring = asks(AUXO, knows((-0.5, UNKNOWN, 0), (0.1, UNKNOWN, 0), (0.0, UNKNOWN, 0)))
    assert (leaf, exploring) == (B, True)
    assert np.isnan(claim)


def test_a_retired_cohort_is_never_asked_for():
    # The client visited A, which became (0, 0) and (0, 1); it was told that (0, 1) is its own.
    tree, paths = grown((ROOT, 2), (A, 2)), (ROOT, A, B, (0, 0), (0, 1))
    client = {ROOT: (0, UNKNOWN, 1), A: (0.9, 1, 4), B: (0, UNKNOWN, 0), (0, 0): (0.9, UNKNOWN, 0),
              (0, 1): (1.0, UNKNOWN, 0)}  # fmt: skip
    wishes = choose(AUXO, records(client, paths=paths), tree, 0, explore=True)
    assert wishes.paths[wishes.choice[0]] == (0, 1)


@pytest.mark.parametrize("round", [1, 10, 60])
def test_exploring_fades_as_epsilon_to_the_round(round):
    taste, n = Auxo(epsilon=0.9), 4000
    content = records(*[knows((0.5, UNKNOWN, 3), (-0.2, UNKNOWN, 0), (-0.1, UNKNOWN, 0))] * n)
    wishes = choose(taste, content, grown((ROOT, 3), round=round), 0, explore=True)
    share = 0.9**round  # 0.9, 0.349, 0.0018
    assert abs(wishes.exploring.mean() - share) < 4 * np.sqrt(share * (1 - share) / n)
    went = [wishes.paths[i] for i in wishes.choice]
    assert all(leaf == (C if curious else A) for leaf, curious in zip(went, wishes.exploring, strict=True))
    assert not choose(taste, content, grown((ROOT, 3), round=round), 0, explore=False).exploring.any()


def test_an_explorer_of_the_papers_goes_anywhere():
    taste = Auxo(epsilon=0.9, reward="paper")
    content = records(*[knows((0.5, UNKNOWN, 3), (-0.2, UNKNOWN, 0), (-0.1, UNKNOWN, 0))] * 3000)
    wishes = choose(taste, content, grown((ROOT, 3), round=1), 0, explore=True)
    went = [wishes.paths[i] for i in wishes.choice[wishes.exploring]]
    assert all(abs(went.count(leaf) / len(went) - 1 / 3) < 0.04 for leaf in (A, B, C))


# ---------------------------------------------------------------- listening


def test_the_first_visit_sets_the_reward_and_later_ones_average():
    heard, reward = after(AUXO, knows(a=(0.3, UNKNOWN, 0)), answer(A, 0.8))
    assert reward[A] == 0.8
    assert heard.visits[0].tolist() == [1, 1, 0, 0]
    heard, reward = after(AUXO, knows(a=(0.8, UNKNOWN, 1)), answer(A, -0.2))
    assert reward[A] == pytest.approx(0.2 * -0.2 + 0.8 * 0.8)  # 0.6
    assert heard.visits[0, 1] == 2


def test_the_papers_reward_averages_from_the_start():
    _, reward = after(PAPER, knows(a=(0.3, UNKNOWN, 0)), answer(A, 0.8))
    assert reward[A] == pytest.approx(0.2 * 0.8 + 0.8 * 0.3)  # 0.4


def test_a_visit_without_a_reward_is_only_counted():
    heard, reward = after(AUXO, knows(a=(0.3, UNKNOWN, 0)), answer(A))
    assert reward == {ROOT: 0.0, A: 0.3, B: 0.0, C: 0.0}
    assert heard.visits[0, 1] == 1


@pytest.mark.parametrize("taste", [AUXO, PAPER], ids=["measured", "paper"])
def test_figure_7_through_the_clients_own_average(taste):
    # A visit to 0.0.1 brings -3: its sibling 0.0.0 is foretold -3/2, its cousin 0.1 -3/3; both count γ = 0.2.
    paths, leaves = (ROOT, A, B, (0, 0), (0, 1)), ((0, 0), (0, 1), B)
    client = {path: (0.0, UNKNOWN, 0) for path in paths}
    _, reward = after(taste, client, answer((0, 1), -3.0, leaves=leaves), paths)
    assert reward[(0, 0)] == pytest.approx(0.2 * -1.5)
    assert reward[B] == pytest.approx(0.2 * -1.0)
    assert (reward[ROOT], reward[A]) == (0.0, 0.0)  # retired cohorts are foretold nothing
    assert reward[(0, 1)] == pytest.approx(-3.0 if taste is AUXO else 0.2 * -3)


def test_nothing_is_foretold_of_what_was_visited():
    _, reward = after(AUXO, knows((0.1, UNKNOWN, 1), (0.7, UNKNOWN, 1), (0.5, UNKNOWN, 0)), answer(A, -1.0))
    assert reward[B] == 0.7
    assert reward[C] == pytest.approx(0.2 * -0.5 + 0.8 * 0.5)  # 0.3


def test_it_copies_its_cluster_and_keeps_it_when_nothing_is_said():
    heard, _ = after(AUXO, knows(), answer(A, 0.5, cluster=1))
    assert heard.cluster[0].tolist() == [UNKNOWN, 1, UNKNOWN, UNKNOWN]
    heard, _ = after(AUXO, knows(a=(0.5, 1, 1)), answer(A, 0.5))
    assert heard.cluster[0, 1] == 1


def test_a_member_of_a_cohort_that_split_goes_to_its_child_before_it_was_ever_there():
    news = answer(ROOT, cluster=1, visit=0)
    heard, reward = after(AUXO, {ROOT: (0.4, UNKNOWN, 3)}, news)
    assert reward == pytest.approx({ROOT: 0.4, A: 0.4, B: 0.4 + BONUS, C: 0.4})
    assert heard.visits[0].tolist() == [3, 0, 0, 0]
    wishes = choose(AUXO, heard, THREE, 0, explore=True)
    assert (wishes.paths[wishes.choice[0]], wishes.claims[0], wishes.exploring[0]) == (B, 0.5, False)


def test_news_that_was_heard_before_changes_nothing():
    once, reward = after(AUXO, {ROOT: (0.4, UNKNOWN, 3)}, answer(ROOT, cluster=1, visit=0))
    twice = remember(AUXO, once, answer(ROOT, cluster=1, visit=0))
    assert dict(zip(twice.paths, twice.reward[0].tolist(), strict=True)) == reward
    np.testing.assert_array_equal(once.heard, twice.heard)


def test_a_hint_is_followed_and_a_place_once_visited_is_never_hinted_at():
    client = knows((0.3, UNKNOWN, 2), (-0.4, UNKNOWN, 0), (0.2, UNKNOWN, 0), child=0)
    heard, reward = after(AUXO, client, answer(A, 0.3, towards=1))
    assert reward[B] == pytest.approx(0.3 + BONUS)  # more than here
    assert heard.cluster[0, 0] == 1  # and its own from now on
    wishes = choose(AUXO, heard, THREE, 0, explore=True)
    assert (wishes.paths[wishes.choice[0]], wishes.exploring[0]) == (B, False)

    back = remember(AUXO, heard, answer(B, -0.6))  # it was wrong: the visit sets the reward
    assert back.reward[0, 2] == -0.6
    again = remember(AUXO, back, answer(A, 0.3, towards=1))
    assert again.reward[0, 2] == -0.6
    wishes = choose(AUXO, again, THREE, 0, explore=True)
    assert wishes.paths[wishes.choice[0]] == A


def test_an_outlier_that_is_hinted_at_expects_something_there():
    _, reward = after(AUXO, knows(), answer(A, -2.0, towards=2))
    assert reward[C] == pytest.approx(BONUS)  # max(-2, 0) + 0.1
    assert reward[B] == pytest.approx(0.2 * -1.0)


def test_a_hint_at_a_grandchild_names_the_way_there():
    paths = (ROOT, A, B, (1, 0), (1, 1))
    heard, _ = after(AUXO, {}, answer(A, 0.5, leaves=(A, (1, 0), (1, 1)), towards=2), paths)
    assert heard.cluster[0].tolist() == [1, UNKNOWN, 1, UNKNOWN, UNKNOWN]


# ---------------------------------------------------------------- any story at all

DELTAS = st.floats(-4, 1)


@st.composite
def stories(draw):
    """Visits wherever clients like, with labels and hints, and splits; every message as the server would send it."""
    tree, told, members, lowest = grown(), [], {ROOT: {}}, 0.0
    for _ in range(draw(st.integers(1, 14))):
        leaves = tree.paths()
        path = draw(st.sampled_from(leaves))
        if draw(st.integers(0, 3)) == 0 and len(leaves) < 6:
            k, ids = draw(st.integers(2, 3)), sorted(members[path])
            tree = tree.split(path, k, None)
            members |= {(*path, i): {} for i in range(k)}
            children = np.array([members[path][c] % k for c in ids], int)
            n = len(ids)
            told.append(Feedback(path, np.array(ids, int), np.full(n, np.nan), children, tree.paths(),
                                 np.full(n, UNKNOWN), 0))  # fmt: skip
            continue
        ids = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True))
        reward = [draw(DELTAS) for _ in ids] if tree.width > 1 else [np.nan] * len(ids)
        lowest = min([lowest, *[r for r in reward if r == r]])
        label = [draw(st.integers(0, 1)) for _ in ids]
        members[path] |= dict(zip(ids, label, strict=True))
        towards = [draw(st.sampled_from([UNKNOWN, *(i for i, leaf in enumerate(leaves) if leaf != path)])) for _ in ids]
        told.append(Feedback(path, np.array(ids), np.array(reward), np.array(label), leaves, np.array(towards)))
    return tree, told, lowest


def listen(taste, messages):
    store = ClientStore()
    for message in messages:
        store.make_room(message)
        store.write(remember(taste, store.records(message.clients), message))
    return store


@given(stories(), st.sampled_from(["measured", "paper"]))
def test_rewards_stay_between_the_worst_visit_and_one_and_a_bonus(story, reward):
    _, told, lowest = story
    taste = Auxo(reward=reward)
    rewards = listen(taste, told).records(np.arange(5)).reward
    # In the paper's way a bonus may be handed down unmeasured, one per generation.
    highest = 1 + BONUS if reward == "measured" else 1 + 3 * BONUS
    assert (rewards >= lowest - 1e-9).all()
    assert (rewards <= highest + 1e-9).all()


@given(stories(), DELTAS, st.sampled_from(["measured", "paper"]))
def test_a_good_visit_does_not_make_a_client_prefer_another_place(story, delta, reward):
    tree, told, _ = story
    taste = Auxo(reward=reward, epsilon=0.0)
    before = listen(taste, told).records(np.array([0]))
    wishes = choose(taste, before, tree, 0, explore=False)
    home, expected = wishes.paths[wishes.choice[0]], wishes.claims[0]
    if home not in tree.paths() or wishes.exploring[0] or delta <= 0 or delta < expected:
        return
    store = listen(taste, [*told, answer(home, delta, leaves=tree.paths())])
    wishes = choose(taste, store.records(np.array([0])), tree, 0, explore=False)
    assert wishes.paths[wishes.choice[0]] == home


@given(stories(), st.data(), st.sampled_from(["measured", "paper"]))
def test_lost_doubled_and_late_messages_do_no_harm(story, data, reward):
    tree, told, _ = story
    mixed = data.draw(st.lists(st.sampled_from(told), max_size=20))
    taste = Auxo(reward=reward)
    records = listen(taste, mixed).records(np.arange(6))
    shape = (6, len(records.paths))
    assert all(a.shape == shape for a in (records.reward, records.cluster, records.visits, records.heard))
    assert np.isfinite(records.reward).all()
    assert (records.visits >= 0).all()
    for explore in (True, False):
        wishes = choose(taste, records, tree, 0, explore=explore)
        assert ((wishes.choice >= 0) & (wishes.choice < len(wishes.paths))).all()
        for row, i in enumerate(wishes.choice.tolist()):
            cluster = dict(zip(records.paths, records.cluster[row].tolist(), strict=True))
            assert tree.resolve(wishes.paths[i], cluster, 0.5) in tree.paths()
