"""Affinity as bytes: exact both ways, small, and nothing but that is read."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.errors import WireError
from horae.flower.affinity_bytes import blank_record, message_bytes, read_messages, read_record, record_bytes
from horae.types import UNKNOWN, Feedback, Records

PATHS = st.lists(st.integers(0, 255), max_size=5).map(tuple)
ROWS = st.lists(
    st.tuples(PATHS, st.floats(-9, 1), st.integers(-1, 254), st.integers(0, 2**32 - 1), st.booleans()),
    max_size=8,
    unique_by=lambda row: row[0],
)


def records(rows, client=7):
    paths, reward, cluster, visits, heard = list(zip(*rows, strict=True)) if rows else [()] * 5
    return Records(
        np.array([client]), tuple(paths), np.array([reward], float), np.array([cluster], np.int64),
        np.array([visits], np.int64), np.array([heard], bool), np.array([UNKNOWN]),
    )  # fmt: skip


def told(path=(0,), reward=0.5, cluster=1, leaves=((0,), (1,)), towards=-1, visit=1, client=7):
    return Feedback(path, *map(np.array, ([client], [reward], [cluster])), leaves, np.array([towards]), visit)


def same(one, other):
    assert one.paths == other.paths
    for name in ("clients", "reward", "cluster", "visits", "heard", "group"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@given(ROWS, st.integers(0, 2**63 - 1), st.integers(0, 2**64 - 1))
def test_a_record_comes_back_as_it_was(rows, client, serial):
    found, heard = read_record(record_bytes(records(rows, client), serial))
    same(found, records(rows, client))
    assert heard == serial


@given(st.lists(st.tuples(PATHS, st.one_of(st.floats(-9, 1), st.just(float("nan"))), st.integers(-1, 254)), max_size=4))
def test_messages_come_back_as_they_were(items):
    sent = [
        (i, told(path, reward, cluster, ((), (3,)), i % 3 - 1, i % 2))
        for i, (path, reward, cluster) in enumerate(items)
    ]
    found = read_messages(message_bytes(sent), 7)
    assert [serial for serial, _ in found] == list(range(len(items)))
    for (_, one), (_, other) in zip(found, sent, strict=True):
        assert (one.path, one.leaves, one.visit) == (other.path, other.leaves, other.visit)
        for name in ("clients", "reward", "cluster", "towards"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_record_of_eight_cohorts_and_their_seven_ancestors_is_small():
    paths = [tuple(int(bit) for bit in f"{i:b}"[1:]) for i in range(1, 16)]
    data = record_bytes(records([(path, 0.1, 0, 3, True) for path in paths]), 99)
    # 8 of kind and sum, 18 of head, and per cohort 1 + 15 and its steps, of which there are 0 + 2 + 8 + 24
    assert len(data) == 8 + 18 + 15 * 16 + 34


def test_what_does_not_fit_is_what_matters_least():
    home = [
        ((), 0.0, 200, 1, True),
        ((200,), 0.0, 3, 0, True),
        ((200, 3), -5.0, -1, 0, True),
        ((7,), -2.0, -1, 4, True),
    ]
    rows = home + [((100 + i // 100, i % 100), 0.9, -1, 0, True) for i in range(400)]
    data = record_bytes(records(rows), 1, 4096)
    found = read_record(data)[0].paths
    assert 4096 - 20 < len(data) <= 4096
    assert {(), (200,), (200, 3), (7,)} <= set(found)  # visited, or labelled, or on the way to these
    assert list(found) == [row[0] for row in rows if row[0] in found]  # in their order
    assert len(found) < len(rows)


@pytest.mark.parametrize("at", range(0, 39, 3))
def test_a_changed_byte_is_found(at):
    for data, read in ((record_bytes(records([((0,), 0.5, 1, 2, True)]), 3), read_record),
                       (message_bytes([(3, told())]), lambda data: read_messages(data, 7))):  # fmt: skip
        assert len(data) >= 39
        with pytest.raises(WireError, match="damaged"):
            read(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def sealed(data, body):
    return data[:4] + zlib.crc32(body).to_bytes(4, "little") + body


@given(st.binary(max_size=80))
def test_whatever_has_the_right_sum_is_read_or_refused(body):
    for data, read in (
        (record_bytes(blank_record(0), 0), read_record),
        (message_bytes([]), lambda d: read_messages(d, 0)),
    ):
        try:
            read(sealed(data, body))
        except WireError as error:
            assert len(str(error).splitlines()) == 1


def test_what_no_client_can_have_is_refused():
    whole = record_bytes(records([((0,), 0.5, 1, 2, True)]), 3)
    for body in (whole[8:-1], whole[8:] + b"x"):
        with pytest.raises(WireError):
            read_record(sealed(whole, body))
    for row in (((0,), float("nan"), 0, 0, True), ((0,), 0.0, -2, 0, True)):
        with pytest.raises(WireError, match="no number"):
            read_record(record_bytes(records([row]), 0))
    for bad in (told(reward=1.5), told(cluster=-2), told(towards=2), told(visit=2), told(leaves=((0,), (0,)))):
        with pytest.raises(WireError, match="affinity message"):
            read_messages(message_bytes([(1, bad)]), 7)
    with pytest.raises(WireError, match="cannot be named"):
        message_bytes([(1, told(path=(256,)))])
