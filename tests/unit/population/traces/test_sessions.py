import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.population.traces.sessions import Sessions
from horae.population.traces.wrong import Wrong


def sessions(*clients, period_s=100.0):
    """Sessions of clients given as lists of (start, end)."""
    flat = [(row, start, end) for row, pairs in enumerate(clients) for start, end in pairs]
    rows, start, end = (np.array(column) for column in zip(*flat, strict=True))
    return Sessions.of([f"c{i}" for i in range(len(clients))], rows, start, end, period_s)


def one(known, row, at_s):
    return bool(known.online(np.array([row]), at_s)[0]), float(known.until(np.array([row]), at_s)[0])


def test_online_is_half_open_and_goes_round():
    known = sessions([(10, 20), (30, 50)], [(0, 5), (90, 100)], [(0, 100)], [(0, 0)])
    assert one(known, 0, 9.99) == (False, 9.99)
    assert one(known, 0, 10.0) == (True, 20.0)
    assert one(known, 0, 20.0) == (False, 20.0)
    assert one(known, 0, 730.5) == (True, 750.0)
    # the second leaves 5 s into the next period: a session that goes on where the period ends is one
    assert one(known, 1, 95.0) == (True, 105.0)
    assert one(known, 1, 304.0) == (True, 305.0)
    assert one(known, 1, 5.0) == (False, 5.0)
    assert one(known, 2, 77.0) == (True, np.inf)
    assert one(known, 3, 50.0) == (False, 50.0)
    assert known.shares.tolist() == [0.3, 0.15, 1.0, 0.0]
    assert known.lengths_s.tolist() == [10, 20, 5, 10, 100]


def test_clients_have_periods_of_their_own():
    known = Sessions.of(["a", "b"], np.array([0, 1]), np.array([0.0, 0.0]), np.array([1.0, 1.0]), np.array([10.0, 4.0]))
    assert known.online(np.array([0, 1]), 8.5).tolist() == [False, True]
    assert known.online(np.array([0, 1]), 20.5).tolist() == [True, True]


def test_rows_may_come_in_any_order_and_adjoining_sessions_are_one():
    known = sessions([(40, 50), (10, 20), (20, 30)])
    assert (known.start / 1024).tolist() == [10, 40] and (known.end / 1024).tolist() == [30, 50]
    assert one(known, 0, 12.0) == (True, 30.0)


def test_a_part_begins_at_zero():
    part = sessions([(10, 20), (30, 50)], [(60, 70)]).cut(15.0, 40.0)
    assert part.period_s.tolist() == [25.0, 25.0]
    assert one(part, 0, 0.0) == (True, 5.0)
    assert one(part, 0, 15.0) == (True, 30.0)  # to the end at 25, and 5 s on: the part starts within the first session
    assert part.shares.tolist() == [15 / 25, 0]
    with pytest.raises(Wrong, match="within the trace's 100 s, not 50-200"):
        part = sessions([(10, 20)]).cut(50.0, 200.0)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 50), max_size=8, unique=True), min_size=1, max_size=4),
    st.floats(0, 1000, allow_nan=False),
)
def test_until_is_the_end_of_being_online(cuts, at_s):
    rows = [sorted(own)[: len(own) // 2 * 2] for own in cuts]
    if not any(rows):
        rows[0] = [3, 9]
    known = sessions(*([(0, 0), *zip(own[::2], own[1::2], strict=True)] for own in rows), period_s=50.0)
    ids = np.arange(len(rows))
    here, until = known.online(ids, at_s), known.until(ids, at_s)
    seconds = np.arange(0, 50, 0.5)
    for i, own in enumerate(rows):
        inside = any(start <= at_s % 50 < end for start, end in zip(own[::2], own[1::2], strict=True))
        assert here[i] == inside
        if not inside:
            assert until[i] == at_s
        elif np.isinf(until[i]):
            assert all(one(known, i, float(second))[0] for second in seconds)
        else:
            assert until[i] > at_s
            assert one(known, i, at_s + 0.9 * (until[i] - at_s))[0]
            assert not one(known, i, until[i])[0]


@pytest.mark.parametrize(
    ("start", "end", "period_s", "words"),
    [
        ([10, 15], [20, 30], 100.0, "not overlap, but client c0 has one from 15 s while another lasts until 20 s"),
        ([10, 30], [20, 25], 100.0, "not end before they start, but client c0 has 30 to 25 s"),
        ([-1, 30], [20, 35], 100.0, "start at 0 s or later, but client c0 has -1 to 20 s"),
        ([10, np.nan], [20, 35], 100.0, "finite seconds, but client c0 has nan to 35 s"),
        ([10, 30], [20, 101], 100.0, "end within the period, but client c0 has 30 to 101 s"),
        ([10, 30], [20, 40], 0.0, "client c0 should have a period of 1 to 1e9 s, got 0"),
        ([10, 30], [10, 30], 100.0, "somebody should be online some time"),
    ],
)
def test_impossible_times_are_refused(start, end, period_s, words):
    with pytest.raises(Wrong, match=words):
        Sessions.of(["c0"], np.zeros(2, np.int64), np.array(start, float), np.array(end, float), period_s)
