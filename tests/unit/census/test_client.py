"""A member by itself: its counts, its stages, and what it passes over."""

import numpy as np
import pytest

from horae.census import Auditor, Identity, Kind, Member, Terms, Why, World, seeded
from horae.census import messages as m
from horae.errors import ConfigError

TERMS = Terms(labels=3, clip=50)


def member(counts=(1, 2, 3), terms=TERMS):
    identity = Identity(seeded(b"7"))
    return Member(7, identity, terms, b"run", {7: identity.public}, counts, Auditor(), seeded(b"keys"))


def body(seats):
    return m.Roster.of(seats).body if seats else b""


def invite(terms=TERMS, epoch=1, attempt=0):
    return m.write(Kind.INVITE, epoch, attempt, terms.context(b"run"))


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([1, 2], r"census.counts should be 3 numbers, got \(2,\)"),
        ([1.5, 2, 3], "census.counts should be whole numbers from 0, got 'float64'; round feature sums first"),
        ([1, -2, 3], "whole numbers from 0"),
    ],
)
def test_counts_that_cannot_be(counts, words):
    with pytest.raises(ConfigError, match=words):
        member(counts)


def test_counts_are_clipped_and_with_noise_scaled():
    assert member([1, 60, 3])._counts.tolist() == [1, 50, 3]
    assert member([5, 10, 5], Terms(labels=3, noise=7.0, most=10))._counts.tolist() == [2, 5, 2]


def test_an_invitation_is_answered_once_with_fresh_keys():
    client = member()
    (first,) = client.receive(invite())
    assert m.read(first).kind is Kind.KEYS
    assert client.receive(invite()) == []
    assert client.rejected == ["INVITE to epoch 1, attempt 0: not a new one"]
    (again,) = client.receive(invite(attempt=1))
    assert m.read_keys(m.read(first).body, 7)[1].mask != m.read_keys(m.read(again).body, 7)[1].mask


def test_other_terms_are_refused():
    client = member()
    (reply,) = client.receive(invite(Terms(labels=3, clip=51)))
    assert m.read_refusal(m.read(reply).body)[0] is Why.TERMS
    assert client.refusals == [(Why.TERMS, "the operator's terms are not mine; give both the same")]


def test_out_of_turn_garbage_and_other_epochs_are_passed_over():
    client = member()
    client.receive(invite(epoch=5))
    for data in (
        b"",
        b"garbage!",
        m.write(Kind.TURN, 5, 0, bytes(8)),
        m.write(Kind.ROSTER, 4, 0),
        m.write(Kind.CLOSE, 5, 0, b"x"),
        m.write(Kind.KEYS, 5, 0),
    ):
        assert client.receive(data) == []
    assert (len(client.rejected), client.stage) == (6, "invited")


def test_rosters_that_are_refused():
    for roster, why in (([], None), ([7], "fewer than n_min = 10"), (range(20), "does not hold my keys")):
        client = member()
        (keys,) = client.receive(invite())
        mine = m.read_keys(m.read(keys).body, 7)[1]
        seats = [mine] if roster == [7] else [m.Seat(c, bytes(32), bytes(32), bytes(64)) for c in roster]
        replies = client.receive(m.write(Kind.ROSTER, 1, 0, body(seats)))
        if why is None:
            assert replies == []
        else:
            assert client.refusals[0][0] is Why.ROSTER and why in client.refusals[0][1]


def test_keys_that_nobody_signed_and_strangers_are_refused():
    client = member()
    (keys,) = client.receive(invite())
    mine = m.read_keys(m.read(keys).body, 7)[1]
    seats = [m.Seat(c, bytes(32), bytes(32), bytes(64)) for c in range(7)]
    seats += [mine] + [m.Seat(c, bytes(32), bytes(32), bytes(64)) for c in range(8, 12)]
    client.receive(m.write(Kind.ROSTER, 1, 0, body(seats)))
    assert "is not registered" in client.refusals[0][1]
    client = member()
    client._directory = dict.fromkeys(range(12), Identity(seeded(b"x")).public)
    client.receive(invite())
    client.receive(m.write(Kind.ROSTER, 1, 0, body(seats)))
    assert "did not sign" in client.refusals[0][1]


def test_any_integers_will_do():
    world = World(Terms(labels=2), seed=1)
    world.hold({client: np.array([client, 200], np.uint8) for client in range(10)})
    assert world.count().totals.tolist() == [45, 2000]


def test_reprs_hold_no_counts_and_no_secrets():
    client = member([11, 22, 33])
    client.receive(invite())
    secret = client._session._mask.secret()
    said = repr(client) + repr(client._session) + repr(vars(client).keys())
    assert "22" not in said and secret.hex()[:6] not in said and repr(secret)[2:8] not in said
