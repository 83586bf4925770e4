"""Cohorts of Flower strategies, without Flower: clients are numpy and their memories."""

from dataclasses import replace

import numpy as np
import pytest

from horae.clustering import Auxo, Oracle
from horae.errors import ConfigError
from horae.flower.affinity import Memory
from horae.flower.affinity_bytes import read_messages
from horae.flower.coordinating import Coordinator, Heard
from horae.flower.sketches import Base
from horae.pure.packing import pack, unpack

QUICK = Auxo(start=0.0, check_every=4, k_max=2, max_cohorts=2, min_members=4, min_participants=2, epsilon=0.5)
CLIENTS, PARAMS = np.arange(16), 6
TARGETS = np.where(CLIENTS % 2, -1.0, 1.0)[:, None] + 0.1 * np.random.default_rng(0).normal(size=(16, PARAMS))


def made(clustering=QUICK, participants=0, rounds=16):
    return Coordinator(clustering, np.zeros(PARAMS, np.float32), rounds, participants, 0)


def turn(coordinator, memories, fewest=2, overcommit=1.0):
    """One round of every cohort; who was in which."""
    invited = coordinator.match(CLIENTS, coordinator.unfinished, CLIENTS.size, fewest, overcommit)
    for path, invitation in sorted(invited.items()):
        model, found = coordinator.tree[path].params, []
        for client in invitation.clients.tolist():
            memory = memories.setdefault(client, Memory.held(b"", "run", client))
            data = coordinator.roll.outgoing(client)
            for serial, message in read_messages(data, client) if data else []:
                memory.read(QUICK, [message], serial)
            new = (model + (TARGETS[client] - model) / 3).astype(np.float32)
            found.append((new, *Base.of({"w": model}, ("w",)).sketch_of({"w": new}, QUICK.dims)))
            coordinator.hear(client, memory.dump())
        new = np.mean([row for row, _, _ in found], axis=0)
        heard = Heard(invitation.clients, np.stack([s for _, s, _ in found]), np.array([n for _, _, n in found]))
        coordinator.learn(invitation, heard, new, ("inside", path))
    return {path: invitation.clients.tolist() for path, invitation in invited.items()}


def test_two_planted_groups_become_two_cohorts():
    coordinator, memories = made(), {}
    while coordinator.unfinished:
        who = turn(coordinator, memories)
        together = [client for clients in who.values() for client in clients]
        assert len(together) == len(set(together))
    assert coordinator.tree.paths() == ((0,), (1,))
    assert {tuple(clients) for clients in who.values()} == {tuple(range(0, 16, 2)), tuple(range(1, 16, 2))}
    homes = coordinator.homes(CLIENTS)
    assert len({*homes[::2]}) == len({*homes[1::2]}) == 1
    for path, sign in ((homes[0], 1), (homes[1], -1)):
        assert (coordinator.tree[path].params * sign > 0.8).all()
        assert coordinator.tree[path].algorithm == ("inside", path)
        assert coordinator.tree[path].round == 16


def test_the_share_spent_is_of_the_rounds_of_the_leaves():
    coordinator, memories = made(rounds=4), {}
    assert coordinator.spent == 0.0
    turn(coordinator, memories)
    assert coordinator.spent == 0.25
    coordinator.tree = coordinator.tree.split((), 2, QUICK.init())
    coordinator.tree = coordinator.tree.put(replace(coordinator.tree[(0,)], round=3))
    assert coordinator.spent == 0.5  # (3 + 1) of 2 x 4
    assert coordinator.unfinished == [(0,), (1,)]


def test_quota_quorum_and_overcommitment():
    coordinator = made(participants=8)
    (invitation,) = coordinator.match(CLIENTS, [()], 16, 2, 1.25).values()
    assert (invitation.clients.size, invitation.quorum) == (10, 8)
    (invitation,) = coordinator.match(CLIENTS[:5], [()], 16, 2, 1.25).values()
    assert (invitation.clients.size, invitation.quorum) == (5, 5)
    assert coordinator.match(CLIENTS[:5], [()], 16, 6, 1.25) == {}
    assert coordinator.match(CLIENTS[:0], [()], 16, 1, 1.0) == {}


def test_it_goes_on_from_a_checkpoint_as_if_nothing_was():
    one, memories = made(), {}
    for _ in range(5):
        turn(one, memories)
    other = made()
    other.tree, state = unpack(pack((one.tree, one.snapshot())))
    other.restore(state)
    copies = {client: Memory.held(memory.save(), "run", client) for client, memory in memories.items()}
    for _ in range(5):
        assert turn(one, memories) == turn(other, copies)
    assert pack(one.tree) == pack(other.tree)


def test_models_without_numbers_and_clusterings_that_ask_are_refused():
    with pytest.raises(ConfigError, match="initial_arrays"):
        Coordinator(QUICK, np.zeros(0, np.float32), 3, 0, 0)
    with pytest.raises(ConfigError, match="clustering"):
        made(Oracle())
