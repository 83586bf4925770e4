"""Cohorts without an engine: the same answers as inside one, whoever holds the records, and one line for a mistake."""

import re
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae import Cohorts
from horae.clustering import Auxo, Oracle, Single
from horae.cohorts import blank, recall
from horae.errors import ConfigError
from horae.pure.packing import pack, unpack
from horae.types import UNKNOWN, Feedback, Records

DIMS, CLIENTS = 4, 40
EAST, WEST = np.eye(DIMS)[0], -np.eye(DIMS)[0]
QUICK = Auxo(start=0.0, check_every=5, k_max=2, min_members=5)


def updates(clients, seed=0):
    """Even clients move east, odd ones west, each a little aside."""
    noise = np.random.default_rng(seed).normal(size=(CLIENTS, DIMS)) * 0.1
    return np.array([(WEST if c % 2 else EAST) + noise[c] for c in clients])


def made(clustering=QUICK, **options):
    return Cohorts(clustering, **{"params": np.zeros(DIMS), "participants": 20, "rounds": 40, **options})


def trained(cohorts, rounds, records=None):
    """Some rounds of everybody, and the records if the caller holds them."""
    for _ in range(rounds):
        for path in cohorts.leaves:
            given = {} if records is None else {"records": records}
            clients = cohorts.match(path, range(CLIENTS), **given)
            lesson = cohorts.learn(path, clients, updates(clients), params=np.zeros(DIMS))
            if records is not None:
                records = cohorts.react(records, lesson.messages)
    return records


def same(one, other):
    assert pack(one) == pack(other)


# ---------------------------------------------------------------- what it does


def test_two_kinds_of_clients_become_two_cohorts_and_everybody_is_at_home():
    cohorts = made()
    assert (cohorts.leaves, cohorts.quota, cohorts.spent) == (((),), {(): 20}, 0.0)
    trained(cohorts, 20)
    assert cohorts.leaves == ((0,), (1,))
    assert cohorts.quota == {(0,): 10, (1,): 10}
    assert cohorts.spent == 0.5  # 20 rounds of 20, of 40 x 20
    homes = cohorts.home(range(CLIENTS))
    assert len(set(homes[0::2])) == len(set(homes[1::2])) == 1
    assert homes[0] != homes[1]


def test_match_gives_a_quota_of_those_online_who_ask_for_it():
    cohorts = made()
    clients = cohorts.match((), [30, 7, *range(10, 30)])
    assert clients.size == 20
    assert clients.tolist() == sorted({7, *range(10, 31)} & set(clients.tolist()))
    assert cohorts.match((), [3, 1]).tolist() == [1, 3]
    assert cohorts.match((), range(CLIENTS), n=0).size == 0
    assert cohorts.match((), []).size == 0
    trained(cohorts, 20)
    here, there = (set(cohorts.match(path, range(CLIENTS), n=CLIENTS).tolist()) for path in cohorts.leaves)
    assert not here & there
    assert here | there == set(range(CLIENTS))


def test_the_model_moves_by_the_mean_update_unless_one_is_given():
    cohorts = made(params=[1.0, 0.0, 0.0, 0.0])
    cohorts.match((), range(CLIENTS), n=CLIENTS)
    cohorts.learn((), [0, 1], [[1.0, 0, 0, 0], [3.0, 2.0, 0, 0]])
    assert cohorts.params(()).tolist() == [3.0, 1.0, 0.0, 0.0]  # 1 + (1 + 3) / 2, 0 + (0 + 2) / 2
    cohorts.learn((), [2, 3], np.ones((2, DIMS)), params=np.full(DIMS, 7.0))
    assert cohorts.params(()).tolist() == [7.0] * DIMS
    cohorts.params(())[:] = 9.0  # a copy
    assert cohorts.params(()).tolist() == [7.0] * DIMS


def test_rewards_are_those_of_the_paper():
    # Three in a cohort of two that exist; all claims are unknown, so all count: leave-one-out distances by hand.
    cohorts = made()
    trained(cohorts, 20)
    path = cohorts.leaves[0]
    clients = cohorts.match(path, range(CLIENTS), n=3)
    lesson = cohorts.learn(path, clients, [[0.0, 0, 0, 0], [3.0, 0, 0, 0], [6.0, 0, 0, 0]])
    d = np.array([4.5, 0.0, 4.5])
    expected = 1 - d / (d.mean() + d.std())
    assert list(lesson.rewards) == clients.tolist()
    np.testing.assert_allclose(list(lesson.rewards.values()), expected, rtol=1e-6)


def test_before_the_first_split_nobody_is_rewarded_and_a_round_of_nobody_changes_nothing():
    cohorts = made()
    clients = cohorts.match((), range(CLIENTS))
    assert cohorts.learn((), clients, updates(clients)).rewards == {}
    before = pack(cohorts.snapshot())
    lesson = cohorts.learn((), [], [])
    assert (lesson.messages, lesson.split, lesson.round) == ((), None, 1)
    assert pack(cohorts.snapshot()) == before


def test_a_late_reply_counts_once():
    cohorts = made()
    clients = cohorts.match((), range(CLIENTS))
    cohorts.learn((), clients[:15], updates(clients[:15]))
    cohorts.match((), clients[:15])
    lesson = cohorts.learn((), clients[15:], updates(clients[15:]))
    assert lesson.round == 2
    with pytest.raises(ConfigError, match="of those that match gave"):
        cohorts.learn((), clients[15:], updates(clients[15:]))


def test_other_clusterings_need_no_engine_either():
    groups = np.arange(CLIENTS) % 2
    oracle = made(Oracle(), groups=groups)
    assert oracle.leaves == ((0,), (1,))
    assert oracle.home([4, 5]) == [(0,), (1,)]
    clients = oracle.match((1,), range(CLIENTS), n=CLIENTS)
    assert clients.tolist() == list(range(1, CLIENTS, 2))
    assert oracle.learn((1,), clients, updates(clients)).messages == ()
    single = made(Single())
    trained(single, 3)
    assert single.leaves == ((),)


# ---------------------------------------------------------------- who holds the records


def test_it_makes_no_difference_who_holds_the_records():
    here, there = made(seed=3), made(seed=3, hold="caller")
    trained(here, 20)
    records = trained(there, 20, blank([]))
    same(here.tree, there.tree)
    assert here.home(range(CLIENTS)) == there.home(range(CLIENTS), records)
    same(here.records(records.clients), records)


def test_a_device_keeps_its_own_record_as_bytes():
    server = made(hold="caller")
    records = trained(server, 20, blank([]))
    kept = {c: pack(recall(np.array([c]), [records])) for c in range(CLIENTS)}
    joined = recall(np.arange(CLIENTS), [unpack(data) for data in kept.values()])
    assert server.home(range(CLIENTS), joined) == server.home(range(CLIENTS), records)
    wish = server.request(unpack(kept[6]))
    assert wish.paths == server.leaves
    assert wish.choice.shape == (1,)


def test_a_client_that_lost_its_record_is_a_newcomer():
    server = made(hold="caller")
    records = trained(server, 20, blank([]))
    wishes = server.request(blank([6]))
    assert wishes.exploring.tolist() == [True]
    assert np.isnan(wishes.claims).all()
    rest = recall(np.array([c for c in range(CLIENTS) if c != 6]), [records])
    assert len(server.home(range(CLIENTS), rest)) == CLIENTS


def test_a_label_from_before_a_split_names_no_child():
    cohorts = made(hold="caller")
    one = np.array([5])
    nothing = np.full(1, UNKNOWN)
    early = Feedback((), one, np.array([np.nan]), np.array([0]), ((),), nothing)  # sent while () was a leaf
    split = Feedback((), one, np.array([np.nan]), np.array([1]), ((0,), (1,)), nothing, visit=0)
    for messages in ([early, split], [split, early], [split, early, early, split]):
        record = cohorts.react(None, messages)
        assert record.cluster[0, record.paths.index(())] == 1


# ---------------------------------------------------------------- the same bits


def test_the_same_calls_give_the_same_bits_and_another_seed_others():
    states = []
    for seed in (0, 0, 1):
        cohorts = made(seed=seed)
        trained(cohorts, 12)
        states.append(pack(cohorts.snapshot()))
    assert states[0] == states[1] != states[2]


@pytest.mark.parametrize("hold", ["here", "caller"])
def test_a_snapshot_goes_on_as_if_nothing_had_happened(hold):
    records = None if hold == "here" else blank([])
    whole, half = made(hold=hold), made(hold=hold)
    expected = trained(whole, 20, records)
    records = trained(half, 9, records)
    invited = half.match(half.leaves[0], range(CLIENTS), **({} if records is None else {"records": records}))
    again = made(hold=hold)
    again.restore(unpack(pack(half.snapshot())))
    late = again.learn(again.leaves[0], invited, updates(invited), params=np.zeros(DIMS))
    same(late, half.learn(half.leaves[0], invited, updates(invited), params=np.zeros(DIMS)))
    again.restore(unpack(pack(half.snapshot())))
    same(again.snapshot(), half.snapshot())
    fresh = made(hold=hold)
    found = trained(fresh, 9, None if hold == "here" else blank([]))
    restored = made(hold=hold)
    restored.restore(unpack(pack(fresh.snapshot())))
    found = trained(restored, 11, found)
    same(restored.snapshot(), whole.snapshot())
    same(found, expected)


# ---------------------------------------------------------------- messages that are lost, late, double


def tree_paths(draw):
    """A random tree of cohorts: all paths, and its leaves at every stage of its growth."""
    leaves, stages = [()], [((),)]
    for _ in range(draw(st.integers(0, 4))):
        path = draw(st.sampled_from(leaves))
        leaves.remove(path)
        leaves += [(*path, i) for i in range(draw(st.integers(2, 3)))]
        stages.append(tuple(sorted(leaves)))
    return stages


@st.composite
def histories(draw):
    """Messages of a growing tree, then some lost, some twice, in any order."""
    stages = tree_paths(draw)
    reward = st.one_of(st.just(float("nan")), st.floats(-6, 1))
    messages = []
    for _ in range(draw(st.integers(1, 8))):
        leaves = draw(st.sampled_from(stages))
        path = draw(st.sampled_from([*leaves, *{leaf[:-1] for leaf in leaves if leaf}]))
        clients = np.array(draw(st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True)))
        n = clients.size

        def column(each, n=n):
            return np.array(draw(st.lists(each, min_size=n, max_size=n)))

        towards = column(st.integers(UNKNOWN, len(leaves) - 1))
        visit = draw(st.integers(0, 1))
        messages.append(Feedback(path, clients, column(reward), column(st.integers(-1, 3)), leaves, towards, visit))
    arrived = draw(st.lists(st.sampled_from(messages), max_size=16))
    return stages[-1], arrived


def grown(leaves, **options):
    """A coordinator whose tree has these leaves."""
    cohorts = made(hold="caller", **options)
    tree = cohorts.tree
    for path in sorted({leaf[:d] for leaf in leaves for d in range(len(leaf))}, key=lambda p: (len(p), p)):
        tree = tree.split(path, 1 + max(x[len(path)] for x in leaves if x[: len(path)] == path), None)
    cohorts.restore({**cohorts.snapshot(), "tree": tree})
    return cohorts


ULPS = 1e-12  # 0.2 · 6 + 0.8 · 6 is not quite 6


@settings(max_examples=80)
@given(histories(), st.sampled_from(["measured", "paper"]))
def test_no_order_of_messages_corrupts_a_record(history, reward):
    leaves, arrived = history
    cohorts = grown(leaves, clustering=Auxo(reward=reward))
    assert cohorts.leaves == leaves
    records = cohorts.react(None, arrived)
    named = {path[:d] for m in arrived for path in (m.path, *m.leaves) for d in range(len(path) + 1)}
    assert set(records.paths) == named
    assert set(records.clients.tolist()) == {c for m in arrived for c in m.clients.tolist()}
    assert np.isfinite(records.reward).all()
    assert (records.reward <= 1 + 0.1 * (len(records.paths) + 1) + ULPS).all()  # 0.1 per split or hint at most
    assert (records.reward >= -6 - ULPS).all()  # no worse than the worst visit
    assert (records.visits >= 0).all()
    assert records.visits.sum() == sum(m.visit * m.clients.size for m in arrived)
    assert (records.cluster >= UNKNOWN).all()
    everybody = np.arange(8)  # 6 and 7 never heard anything
    assert set(cohorts.home(everybody, records)) <= set(leaves)
    wishes = cohorts.request(recall(everybody, [records]))
    assert ((wishes.choice >= 0) & (wishes.choice < len(leaves))).all()
    same(records, grown(leaves, clustering=Auxo(reward=reward)).react(None, arrived))


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["match", "reply", "twice", "lose"]), max_size=30), st.integers(0, 3))
def test_no_order_of_calls_breaks_a_federation(calls, seed):
    cohorts, sent = made(seed=seed), []
    for step, call in enumerate(calls):
        path = cohorts.leaves[step % len(cohorts.leaves)]
        if call == "match":
            sent.append((path, cohorts.match(path, range(step % 5, CLIENTS, 2))))
        elif call == "lose" and sent:
            sent.pop(0)
        elif sent:
            where, clients = sent.pop() if call == "reply" else sent[0]
            try:
                cohorts.learn(where, clients, updates(clients))
            except ConfigError as why:  # in the meantime learnt, or split
                assert "match gave" in str(why) or "has split" in str(why)
    assert set(cohorts.home(range(CLIENTS))) <= set(cohorts.leaves)
    assert 0 <= cohorts.spent <= len(calls) * 20 / 800


# ---------------------------------------------------------------- mistakes

ONE = np.array([5])
GOOD = Feedback((), ONE, np.zeros(1), np.zeros(1, int), ((),), np.full(1, -1))
MISTAKES = {
    "path should be one of the leaves (), got (3,)": lambda c: c.match((3,), [1]),
    "path should be one of the leaves (), got '0'": lambda c: c.match("0", [1]),
    "path should be one of the leaves (), got []": lambda c: c.learn([], [1], [[0.0] * 4]),
    "online should name each client once, got [2]": lambda c: c.match((), [2, 2]),
    "online should be a list of whole numbers, one per client, got [0.5]": lambda c: c.match((), [0.5]),
    "online should be a list of whole numbers, one per client, got [True, False]": lambda c: c.match((), [True, False]),
    "online should hold client ids >= 0 and < 2^63, got [-1]": lambda c: c.match((), [4, -1]),
    "online should be a list of client ids": lambda c: c.match((), [[1], [2, 3]]),
    "n should be a whole number >= 0, got -1": lambda c: c.match((), [1], n=-1),
    "clients should be of those that match gave for (), got [99]": lambda c: c.learn((), [99], [[0.0] * 4]),
    "updates should have shape (clients, params) = (2, 4), got (2, 3)": lambda c: c.learn((), [0, 1], np.ones((2, 3))),
    "updates should be finite and not absurdly large": lambda c: c.learn((), [0, 1], [[0.0] * 4, [np.nan] * 4]),
    "leave out client 1": lambda c: c.learn((), [0, 1], [[0.0] * 4, [1e300] * 4]),
    "updates should be an array of numbers": lambda c: c.learn((), [0], [["a"] * 4]),
    "params should have shape (4,)": lambda c: c.learn((), [0], [[0.0] * 4], params=[1.0]),
    "params should be finite, got nan": lambda c: c.learn((), [0], [[0.0] * 4], params=[np.nan] * 4),
    "records should be left out where hold is 'here'": lambda c: c.match((), [1], records=blank([1])),
    "message should be a Feedback": lambda c: c.react(None, ["hello"]),
    "message.reward should be at most 1": lambda c: c.react(None, [replace(GOOD, reward=np.array([np.inf]))]),
    "message.towards should be an index": lambda c: c.react(None, [replace(GOOD, towards=np.array([1]))]),
    "message.cluster should be >= -1": lambda c: c.react(None, [replace(GOOD, cluster=np.array([-2]))]),
    "message.visit should be 0 or 1": lambda c: c.react(None, [replace(GOOD, visit=2)]),
    "message.path should be distinct paths": lambda c: c.react(None, [replace(GOOD, path=(-1,))]),
    "message.reward should be an array of shape (1,)": lambda c: c.react(None, [replace(GOOD, reward=np.zeros(2))]),
    "records should be Records": lambda c: c.request({"5": 1}),
    "records.visits should be >= 0": lambda c: c.request(record(visits=[[-1]])),
    "records.reward should be finite": lambda c: c.request(record(reward=[[np.nan]])),
    "records.reward should be an array of shape (1, 1)": lambda c: c.request(record(reward=[[0.0, 1.0]])),
    "records.group should be (1,)": lambda c: c.request(record(group=[])),
    "state should be what snapshot() gave": lambda c: c.restore({}),
    "state should have models of 4 parameters, got 3": lambda c: c.restore(made(params=np.zeros(3)).snapshot()),
    "hold should be as when the snapshot was taken": lambda c: c.restore(made(hold="caller").snapshot()),
}


def record(**columns):
    arrays = {name: np.array(value) for name, value in columns.items()}
    zero = np.zeros((1, 1), int)
    return replace(Records(ONE, ((),), np.zeros((1, 1)), zero, zero, zero > 0, np.array([UNKNOWN])), **arrays)


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_one_line_and_changes_nothing(words):
    cohorts = made()
    cohorts.match((), range(CLIENTS), n=CLIENTS)
    before = pack(cohorts.snapshot())
    with pytest.raises(ConfigError) as error:
        MISTAKES[words](cohorts)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert pack(cohorts.snapshot()) == before


def test_a_cohort_that_has_split_trains_no_more():
    cohorts = made()
    trained(cohorts, 20)
    with pytest.raises(ConfigError, match=r"path should be one of the leaves \(0,\), \(1,\), got \(\); it has split"):
        cohorts.match((), [1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clustering": "auxo"}, "clustering should be like Auxo(), got 'auxo'"),
        ({"clustering": Auxo}, "clustering should be like Auxo()"),
        ({"participants": 0}, "participants should be a whole number >= 1, got 0"),
        ({"rounds": 2.5}, "rounds should be a whole number >= 1, got 2.5"),
        ({"seed": -1}, "seed should be a whole number >= 0, got -1"),
        ({"hold": "there"}, "hold should be 'here' or 'caller', got 'there'"),
        ({"params": []}, "params should have at least one parameter"),
        ({"params": np.zeros((2, 2))}, "params should have shape (params,)"),
        ({"params": [np.inf]}, "params should be finite, got inf"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(ConfigError) as error:
        made(**options)
    assert words in str(error.value)


def test_the_caller_must_hand_over_what_it_holds():
    with pytest.raises(ConfigError, match="records should be given where hold is 'caller'"):
        made(hold="caller").match((), [1])


def test_auxos_metric_is_one_of_two():
    with pytest.raises(ConfigError, match=r"clustering\.metric should be 'cosine' or 'l2', got 'l1'"):
        Auxo(metric="l1")
    # Four in a row: directions know only left and right, lengths tell the far pair from the near one.
    rows = np.outer([1.0, 1.1, 9.0, 9.1, -10.0, -10.2], EAST)
    found = {}
    for metric in ("cosine", "l2"):
        cohorts = made(Auxo(metric=metric))
        clients = cohorts.match((), range(6))
        cohorts.learn((), clients, rows)
        found[metric] = np.linalg.norm(cohorts.tree[()].clustering.table()[1], axis=1)
    np.testing.assert_allclose(found["cosine"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(found["l2"], np.abs([1.0, 1.1, 9.0, 9.1, -10.0, -10.2]), rtol=1e-6)


# ---------------------------------------------------------------- the example

ROOT = Path(__file__).parents[2]


def test_the_example_prints_what_it_says(capsys):
    runpy.run_path(str(ROOT / "examples" / "auxo_alone.py"))
    assert capsys.readouterr().out == (ROOT / "examples" / "auxo_alone.out").read_text(encoding="utf-8")


def test_the_page_shows_the_example_and_its_output():
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    for file in ("auxo_alone.py", "auxo_alone.out"):
        assert (ROOT / "examples" / file).read_text(encoding="utf-8").strip() in page


def test_the_page_runs_and_needs_no_torch_where_the_caller_holds_the_records():
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    _, devices = re.findall(r"```python\n(.*?)```", page, re.S)
    code = devices + "\nimport sys\nprint(unpack(devices[int(clients[0])]).visits.sum(), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.split() == ["1", "False"]
