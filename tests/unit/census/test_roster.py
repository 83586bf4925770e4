"""What everybody derives from the roster: bound to run, epoch, attempt and keys, with masks that cancel."""

import numpy as np

from horae.census import Terms
from horae.census.messages import Roster, Seat
from horae.census.table import Table


def seats(first=1, clients=range(5)):
    return Roster.of(Seat(client, bytes([first]) * 32, bytes([2]) * 32, bytes(64)) for client in clients)


def table(context=b"c", epoch=1, attempt=0, rows=None):
    return Table(Terms(labels=2), context, epoch, attempt, rows or seats())


def test_every_circumstance_makes_other_keys():
    bounds = {
        each.between(b"share", 0, 1)
        for each in (
            table(),
            table(context=b"d"),
            table(epoch=2),
            table(attempt=1),
            table(rows=seats(first=9)),
            table(rows=seats(clients=range(6))),
        )
    }
    bounds |= {table().between(b"share", 1, 0), table().between(b"share", 0, 2), table().between(b"chain", 0, 1)}
    assert len(bounds) == 9
    assert table().between(b"share", 0, 1) in bounds


def test_masks_of_a_pair_cancel_and_differ_between_pairs():
    here = table()
    secret = bytes(32)
    one, other = here.pair_mask(secret, 0, 3), here.pair_mask(secret, 3, 0)
    assert (one + other == 0).all() and one.any()
    assert (here.pair_mask(secret, 0, 4) != one).all()
    assert (here.own_mask(secret, 0) != one).all()


def test_a_vector_by_hand():
    here = table()
    first, second = (int(word) for word in here.checker)
    vector = here.vector(np.array([3, 4], np.uint64))
    assert vector.tolist() == [3, 4, 1, 7, (3 * first + 4 * second) % 2**64]


def test_inboxes_have_what_was_dealt():
    here = table()
    dealt = {c: [bytes([c, other]) for other in here.neighbours(c)] for c in (0, 1, 2, 4)}
    assert here.inbox(0, dealt) == [None if c == 3 else bytes([c, 0]) for c in here.neighbours(0)]


def test_flags_and_digests():
    here = table()
    assert here.chosen([True, False, False, True, False]) == {0, 3}
    assert here.flags({0, 3}) == bytes([9])
    digests = {here.digest(u, d, head) for u, d, head in (({0, 1}, {2}, b""), ({0}, {1, 2}, b""), ({0, 1}, {2}, b"h"))}
    assert len(digests) == 3
