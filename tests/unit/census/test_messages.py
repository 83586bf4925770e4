"""Bytes: one encoding for each value, and whatever else is refused in one line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.census import messages as m
from horae.census.messages import Kind, Seat, Why
from horae.errors import WireError


def seat(client):
    return Seat(client, bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 64)


def test_a_head_by_hand():
    data = m.write(Kind.CLOSE, 258, 3, b"\x01")
    assert data == bytes([1, 16, 2, 1, 0, 0, 3, 0, 1])
    message = m.read(data)
    assert (message.kind, message.epoch, message.attempt, message.body) == (Kind.CLOSE, 258, 3, b"\x01")
    assert "body" not in repr(message)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "0 bytes"),
        (bytes([2, 16, 0, 0, 0, 0, 0, 0]), "protocol 2, this is 1"),
        (bytes([1, 99, 0, 0, 0, 0, 0, 0]), "unknown kind 99"),
    ],
)
def test_what_is_no_message(data, words):
    with pytest.raises(WireError, match=words):
        m.read(data)


def test_rosters_are_in_order():
    one, seven = (m.Roster.of([seat(client)]).body for client in (1, 7))
    roster = m.Roster(one + seven)
    assert roster.body == m.Roster.of([seat(7), seat(1)]).body
    assert (dict(roster), roster.get(2)) == ({1: seat(1), 7: seat(7)}, None)
    for wrong in (seven + one, one + one, b"\xfe\xff\xff\xff" + one[4:]):
        with pytest.raises(WireError, match="not in order"):
            m.Roster(wrong)
    with pytest.raises(WireError, match="a roster of 5 bytes"):
        m.Roster(b"12345")


@given(st.lists(st.none() | st.binary(min_size=3, max_size=3), max_size=40))
def test_slots_come_back(items):
    body = m.write_slots(items)
    assert m.read_slots(body, 3, len(items)) == items
    with pytest.raises(WireError):
        m.read_slots(body + b"x", 3, len(items))


def test_spare_flags_are_zero():
    assert m.write_flags([True, False, True]) == bytes([5])
    with pytest.raises(WireError, match="flags for nobody"):
        m.read_flags(bytes([13]), 3)


@given(st.lists(st.frozensets(st.integers(0, 2**32 - 3), min_size=1)))
def test_rows_come_back(rows):
    body = m.write_rows(rows)
    assert m.read_rows(body) == rows
    if body:
        with pytest.raises(WireError):
            m.read_rows(body[:-1])
        with pytest.raises(WireError, match="not in order"):
            m.read_rows(body[:-4])


@given(st.binary(max_size=300), st.integers(0, 40))
def test_no_bytes_escape_the_parser(data, count):
    readers = [
        m.read,
        m.Roster,
        m.read_rows,
        m.read_turn,
        m.read_place,
        m.read_refusal,
        lambda body: m.read_keys(body, 1),
        lambda body: m.read_flags(body, count),
        lambda body: m.read_slots(body, 5, count),
        lambda body: m.read_words(body, count),
    ]
    for reader in readers:
        try:
            reader(data)
        except WireError as error:
            assert "\n" not in str(error)


def test_words_and_refusals():
    words = np.array([0, 2**64 - 1, 7], np.uint64)
    assert (m.read_words(m.write_words(words), 3) == words).all()
    assert m.read_refusal(m.write_refusal(Why.AUDIT, "two\nlines")) == (Why.AUDIT, "two lines")
    assert len(m.write_refusal(Why.AUDIT, "é" * 500)) <= 241
