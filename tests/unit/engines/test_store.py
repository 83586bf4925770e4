"""What simulated clients remember."""

from dataclasses import replace

import numpy as np

from horae.engines.store import ClientStore
from horae.pure.packing import pack, unpack
from horae.types import UNKNOWN, Feedback


def message(clients, path=(), leaves=((),)):
    n = len(clients)
    return Feedback(path, np.array(clients), np.zeros(n), np.full(n, UNKNOWN), leaves, np.full(n, UNKNOWN))


def tell(store, feedback, value):
    """Write one value into every field of the message's clients, as `react` would."""
    store.make_room(feedback)
    old = store.records(feedback.clients)
    store.write(
        replace(
            old,
            reward=np.full_like(old.reward, value),
            cluster=np.full_like(old.cluster, value),
            visits=np.full_like(old.visits, value),
            heard=np.ones_like(old.heard),
        )
    )


def test_a_client_that_was_never_told_anything_remembers_nothing():
    store = ClientStore()
    records = store.records(np.array([3, 10**9]))
    assert records.paths == ()
    assert records.reward.shape == (2, 0)
    tell(store, message([3]), 1)
    stranger = store.records(np.array([10**9]))
    assert stranger.paths == ((),)
    assert (stranger.reward.tolist(), stranger.cluster.tolist()) == ([[0.0]], [[UNKNOWN]])
    assert (stranger.visits.tolist(), stranger.heard.tolist()) == ([[0]], [[False]])


def test_memory_is_by_client_whatever_the_order_of_asking():
    store = ClientStore()
    tell(store, message([7]), 1)
    tell(store, message([2]), 2)
    asked = store.records(np.array([2, 5, 7]))
    assert asked.reward[:, 0].tolist() == [2, 0, 1]
    assert asked.cluster[:, 0].tolist() == [2, UNKNOWN, 1]
    assert asked.heard[:, 0].tolist() == [True, False, True]


def test_only_clients_that_were_told_something_take_room():
    store = ClientStore()
    store.records(np.arange(1000))
    assert len(store) == 0
    for client in range(200):  # more than the first 64 rows
        tell(store, message([client]), client)
    tell(store, message([0]), 0)  # again: no second row
    assert len(store) == 200
    assert store.records(np.arange(200)).reward[:, 0].tolist() == list(range(200))


def test_columns_come_with_the_messages_that_name_them_and_old_memories_stay():
    store = ClientStore()
    tell(store, message([1]), 5)
    store.make_room(message([2], (1, 0), ((0,), (1, 0), (1, 1))))
    records = store.records(np.array([1, 2]))
    assert set(records.paths) == {(), (0,), (1,), (1, 0), (1, 1)}  # ancestors too
    assert records.paths[0] == ()
    assert records.reward[0].tolist() == [5, 0, 0, 0, 0]
    assert records.cluster[0].tolist() == [5, *[UNKNOWN] * 4]
    assert records.cluster[1].tolist() == [UNKNOWN] * 5
    assert len({array.shape for array in (records.reward, records.cluster, records.visits, records.heard)}) == 1


def test_what_was_read_is_a_copy():
    store = ClientStore()
    tell(store, message([1]), 5)
    store.records(np.array([1])).reward[:] = 9
    assert store.records(np.array([1])).reward[0, 0] == 5


def test_planted_groups_are_known_to_the_oracle_alone():
    assert ClientStore(np.array([4, 5, 6])).records(np.array([2, 0])).group.tolist() == [6, 4]
    assert ClientStore().records(np.array([2, 0])).group.tolist() == [UNKNOWN, UNKNOWN]


def test_a_restored_store_remembers_what_the_first_did_and_goes_on_apart():
    store, clients = ClientStore(), np.array([7, 3])
    heard = Feedback((0,), clients, np.array([0.5, np.nan]), np.array([1, 0]), ((0,), (1,)), np.array([-1, -1]))
    store.make_room(heard)
    records = store.records(clients)
    reward = np.arange(records.reward.size, dtype=float).reshape(records.reward.shape)
    store.write(replace(records, reward=reward))
    other = ClientStore()
    other.restore(unpack(pack(store.snapshot())))
    assert len(other) == 2
    for name in ("reward", "cluster", "visits", "heard"):
        np.testing.assert_array_equal(getattr(other.records(clients), name), getattr(store.records(clients), name))
    assert other.records(clients).paths == store.records(clients).paths
    later = replace(heard, clients=np.array([3, 9]), leaves=((0, 0), (0, 1), (1,)))
    other.make_room(later)  # rows and columns grow
    assert (len(other), len(store)) == (3, 2)
    np.testing.assert_array_equal(other.records(np.array([3])).reward[:, :3], reward[1:, :3])


def test_whoever_forgets_comes_back_empty_and_all_others_as_they_were():
    store = ClientStore(np.array([5, 6]), forgets=lambda clients: clients == 1)
    tell(store, message([0, 1]), 1)
    records = store.records(np.array([0, 1]))
    assert records.reward.tolist() == [[1.0], [0.0]]
    assert records.visits.tolist() == [[1], [0]]
    assert records.heard.tolist() == [[True], [False]]
    assert records.group.tolist() == [5, 6]  # what it is, not what it remembers
