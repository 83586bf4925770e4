"""Whose turn it is, worked out by hand, with vectors of one word."""

import numpy as np
import pytest

from horae.census import messages as m
from horae.census.chain import Chains, Segment
from horae.census.messages import NOBODY, OPERATOR, Kind
from horae.errors import WireError

SEALED = bytes(24)  # one word and its tag


def turn(to, before, after, sealed=b""):
    return (to, Kind.TURN, m.write_turn(before, after, sealed))


def reseal(to, after):
    return (to, Kind.RESEAL, m.write_place(after))


def passed(after):
    return m.write_place(after, SEALED)


def final(value):
    return m.write_place(OPERATOR, m.write_words(np.array([value], np.uint64)))


def test_three_in_a_row():
    chain = Segment([4, 7, 2], 1)
    assert chain.begin(set()) == [turn(4, NOBODY, 7)]
    assert chain.carried(4, passed(7), set()) == [turn(7, 4, 2, SEALED)]
    assert chain.carried(7, passed(2), set()) == [turn(2, 7, OPERATOR, SEALED)]
    assert chain.carried(2, final(9), set()) == []
    assert (chain.survivors, chain.total.tolist(), chain.waiting, chain.lost) == ([4, 7, 2], [9], None, set())


def test_one_falls_out_with_the_sum_in_hand():
    chain = Segment([4, 7, 2], 1)
    chain.begin(set())
    chain.carried(4, passed(7), set())
    assert chain.failed({7}) == [reseal(4, 2)]
    assert chain.carried(4, passed(2), {7}) == [turn(2, 4, OPERATOR, SEALED)]
    chain.carried(2, final(9), {7})
    assert (chain.survivors, chain.lost) == ([4, 2], {7})


def test_two_adjacent_fall_out_and_the_chain_goes_back_further():
    chain = Segment([4, 7, 2, 5], 1)
    chain.begin(set())
    chain.carried(4, passed(7), set())
    chain.carried(7, passed(2), set())
    assert chain.failed({2}) == [reseal(7, 5)]
    assert chain.failed({2, 7}) == [reseal(4, 5)]
    assert chain.lost == {2, 7}


def test_nobody_is_left_before_it_and_it_begins_anew():
    chain = Segment([4, 7, 2], 1)
    chain.begin(set())
    chain.carried(4, passed(7), set())
    assert chain.failed({4, 7}) == [turn(2, NOBODY, OPERATOR)]
    empty = Segment([4], 1)
    empty.begin(set())
    assert empty.failed({4}) == []
    assert (empty.total.tolist(), empty.survivors) == ([0], [])


def test_the_last_falls_out():
    chain = Segment([4, 7], 1)
    chain.begin(set())
    chain.carried(4, passed(7), set())
    assert chain.failed({7}) == [reseal(4, OPERATOR)]
    assert chain.carried(4, final(3), {7}) == []
    assert chain.total.tolist() == [3]


def test_the_next_has_gone_before_the_sum_arrives():
    chain = Segment([4, 7, 2], 1)
    chain.begin(set())
    assert chain.carried(4, passed(7), {7}) == [reseal(4, 2)]


@pytest.mark.parametrize(
    ("sender", "body", "words"),
    [
        (7, passed(2), "out of turn"),
        (4, passed(2), "wrong place"),
        (4, passed(7) + b"x", "another length"),
        (4, b"x", "cut short"),
    ],
)
def test_sums_that_are_refused(sender, body, words):
    chain = Segment([4, 7, 2], 1)
    chain.begin(set())
    with pytest.raises(WireError, match=words):
        chain.carried(sender, body, set())
    assert chain.survivors == []


def test_segments_side_by_side():
    chains = Chains([4, 7, 2, 5], 2, 1, hop_s=3.0)
    assert chains.begin(set(), 10.0) == [turn(4, NOBODY, 7), turn(2, NOBODY, 5)]
    assert chains.deadline == 13.0
    chains.carried(4, passed(7), set(), 12.0)
    assert chains.late(13.0) == {2}
    with pytest.raises(WireError, match="outside the chain"):
        chains.carried(9, passed(7), set(), 12.0)
    chains.carried(7, final(1), set(), 12.0)
    assert not chains.done
    assert chains.without({2}, 13.0) == [turn(5, NOBODY, OPERATOR)]
    chains.carried(5, final(2), {2}, 13.0)
    assert (chains.done, chains.survivors, chains.total.tolist()) == (True, {4, 7, 5}, [3])
