"""What is remembered of clients."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from horae.pure.packing import pack, unpack
from horae.selectors.met import nobody


def test_who_was_not_met_is_unknown():
    met = nobody("a", "b").put(np.array([7, 3]), a=np.array([70.0, 30.0])).put(np.array([5, 3]), b=1.0)
    assert met.clients.tolist() == [3, 5, 7]
    np.testing.assert_array_equal(met.of(np.array([7, 5, 4, 3]), "a"), [70, np.nan, np.nan, 30])
    np.testing.assert_array_equal(met.of(np.array([7, 5, 4, 3]), "b"), [np.nan, 1, np.nan, 1])
    assert met.has(np.array([4, 5])).tolist() == [False, True]


@given(st.lists(st.dictionaries(st.integers(0, 10**7), st.floats(0, 9), max_size=5), max_size=6))
def test_it_is_a_dictionary_of_those_met_and_of_nobody_else(visits):
    met, book = nobody("a"), {}
    for visit in visits:
        met = met.put(np.array(list(visit), np.int64), a=np.array(list(visit.values()), float))
        book |= visit
    assert dict(zip(met.clients.tolist(), met.columns["a"].tolist(), strict=True)) == dict(sorted(book.items()))
    again = unpack(pack(met))
    np.testing.assert_array_equal(again.columns["a"], met.columns["a"])


def test_an_older_table_stays_as_it_was():
    one = nobody("a").put(np.array([1]), a=1.0)
    one.put(np.array([1, 2]), a=5.0)
    assert one.clients.tolist() == [1]
    assert one.columns["a"].tolist() == [1.0]
