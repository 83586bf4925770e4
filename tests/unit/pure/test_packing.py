"""Values as bytes: exact both ways, and harmless."""

import dataclasses
import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from horae.pure.packing import PackingError, pack, unpack


@dataclass(frozen=True)
class Pair:
    left: Any
    right: Any = None


@dataclass(frozen=True)
class Careful:
    """Would complain if it were called again."""

    value: int
    calls: int = dataclasses.field(default=0, init=False)

    def __post_init__(self):
        object.__setattr__(self, "calls", self.calls + 1)


def same(one, other):
    """Equal in type, value and bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray | np.generic):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if dataclasses.is_dataclass(one):
        return same(list(vars(one).items()), list(vars(other).items()))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return one == other and math.copysign(1, one) == math.copysign(1, other) if isinstance(one, float) else one == other


arrays = hnp.arrays(
    st.sampled_from(["<f4", "<f8", "<i8", "|b1", "|u1", "<U3"]), hnp.array_shapes(min_dims=0, min_side=0, max_side=4)
)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
keys = st.integers() | st.text() | st.tuples(st.integers(), st.integers())
values = st.recursive(
    plain | arrays | arrays.map(lambda a: a.ravel()[:1].sum() if a.dtype.kind == "f" else 0),
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner) | st.builds(Pair, inner, inner)
    ),
    max_leaves=12,
)


@given(values)
def test_what_comes_back_is_what_went_in(value):
    assert same(unpack(pack(value)), value)


def test_the_same_array_is_stored_once_and_comes_back_writable():
    array = np.arange(1000, dtype=np.float32)
    once, twice = pack([array]), pack([array, array.view(), Pair(array)])
    assert len(twice) < len(once) + 200
    one, other, pair = unpack(twice)
    assert one is other is pair.left
    one[0] = 5


def test_a_part_of_an_array_is_not_taken_for_the_whole():
    array = np.arange(12.0).reshape(3, 4)
    whole, row, column, turned = unpack(pack([array, array[0], array[:, 0], array.T]))
    np.testing.assert_array_equal(whole, array)
    np.testing.assert_array_equal(row, [0, 1, 2, 3])
    np.testing.assert_array_equal(column, [0, 4, 8])
    np.testing.assert_array_equal(turned, array.T)
    assert turned.flags.f_contiguous  # sums run in the order of memory


def test_a_dataclass_is_filled_and_not_called():
    careful = unpack(pack(Careful(3)))
    assert (careful.value, careful.calls) == (3, 1)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, {2}]}, r"\['a'\]\[1\] is a set"),
        (Pair(1, Pair(object())), "right.left is a object"),
        (np.array([None]), "an array of objects"),
        ({frozenset(): 1}, "key is a frozenset"),
    ],
)
def test_what_cannot_be_packed_is_named_with_its_place(value, place):
    with pytest.raises(PackingError, match=place):
        pack(value)


def test_only_dataclasses_that_are_here_with_the_fields_they_had():
    good = pack(Pair(1, 2))
    for old, new in ((b":Pair", b":Pear"), (b"test_packing", b"test_pocking"), (b'"right"', b'"wrong"')):
        assert old in good
        with pytest.raises(PackingError):
            unpack(good.replace(old, new))
    with pytest.raises(PackingError, match="no dataclass os:system"):
        unpack(pack(Pair(1)).replace(f"{__name__}:Pair".encode(), b"os:system".ljust(len(__name__) + 5)))


@given(st.binary(max_size=300), st.integers(0, 400), st.binary(min_size=1, max_size=4))
def test_damaged_bytes_are_refused_or_harmless(noise, at, patch):
    whole = pack({"x": np.arange(5), "y": Pair((1, 2.5))})
    for data in (noise, whole[:at], whole[:at] + patch + whole[at + len(patch) :]):
        with suppress(PackingError):
            unpack(data)
