"""Pickles of strangers: what is read, and what is refused by name."""

import collections
import io
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.errors import DataError
from horae.population.unpickle import restricted_load

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=12,
)


def load(data, allow=()):
    return restricted_load(io.BytesIO(data), allow)


@given(PLAIN, st.sampled_from([0, 2, 4, 5]))
def test_plain_containers_come_back(value, protocol):
    assert load(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["u1", "<i4", ">f8", "f4", "?", "S3", "U2"])
def test_arrays_of_plain_numbers_come_back_and_can_be_written_to(protocol, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    for given_ in (array, np.asfortranarray(array)):
        read = load(pickle.dumps({"data": [given_, (given_,)]}, protocol))["data"]
        np.testing.assert_array_equal(read[0], array)
        np.testing.assert_array_equal(read[1][0], array)
        assert read[0].dtype == array.dtype.newbyteorder("=") or read[0].dtype == array.dtype
        read[0][0] = read[0][1]


def test_a_number_of_numpy_comes_back():
    assert load(pickle.dumps({"n": np.float32(2.5)})) == {"n": 2.5}


def test_what_python_2_wrote_comes_back():
    # protocol 2 of Python 2: {'data': array([[1, 2]], uint8), 'labels': [7]} with its texts as bytes
    data = (
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x01K\x02"
        b"\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02"
        b"\x01\xfetbU\x06labels]K\x07au."
    )
    read = load(data)
    np.testing.assert_array_equal(read["data"], [[1, 254]])
    assert read["data"].dtype == np.uint8
    assert read["labels"] == [7]


class Evil:
    def __init__(self, does):
        self.does = does

    def __reduce__(self):
        return self.does


def marker():
    raise AssertionError("it ran")


@pytest.mark.parametrize(
    ("what", "name"),
    [
        (Evil((os.system, ("true",))), "posix.system"),
        (Evil((eval, ("1",))), "builtins.eval"),
        (Evil((getattr, ("a", "join"))), "builtins.getattr"),
        (collections.OrderedDict(a=1), "collections.OrderedDict"),
        (Evil((np.load, ("x",))), "numpy.load"),
        (slice(1), "builtins.slice"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_anything_else_is_refused_by_name(what, name, protocol):
    with pytest.raises(DataError, match=rf"refused: its pickle asks for .*{name.partition('.')[2]}") as error:
        load(pickle.dumps([1, what], protocol))
    assert "\n" not in str(error.value)


def test_what_is_allowed_is_allowed():
    given_ = collections.OrderedDict(a=1)
    assert load(pickle.dumps(given_), ["collections.OrderedDict"]) == given_
    assert type(load(pickle.dumps(given_), ["collections.OrderedDict"])) is collections.OrderedDict


REBUILD = b"cnumpy.core.multiarray\n_reconstruct\n"


@pytest.mark.parametrize(
    "data",
    [
        REBUILD + b"}S'_does'\ncposix\nsystem\nsb.",  # changes what rebuilds arrays
        REBUILD + b"(N}S'x'\nI1\nstb.",
        b"cnumpy\ndtype\n(S'O8'\ntR.",  # objects
        b"cnumpy\ndtype\n(S'u1'\ntR.",  # a type that is no data
        b"cnumpy\ndtype\n.",
        pickle.dumps(np.array([object], dtype=object), 2),
        pickle.dumps(np.zeros(2, [("a", "i4")]), 2),
        pickle.dumps({"a": 1}, 2)[:-3],
        b"",
        b"not a pickle",
        b"Pan id\n.",
        b"(lp0\ng0\na.",  # a list that holds itself
        b"\x80\x05" + b"(" * 5000 + b"l" * 5000 + b".",
    ],
)
def test_what_is_broken_or_bent_is_one_line(data):
    if data.startswith(b"(lp0"):
        read = load(data)  # pickle can say this, and it harms nobody
        assert read[0] is read
        return
    try:
        value = load(data)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(value, list)  # 5000 lists, one in the other


def test_a_list_that_holds_itself_and_an_array_is_one_line():
    held = [np.zeros(2)]
    held.append(held)
    with pytest.raises(DataError, match="RecursionError"):
        load(pickle.dumps(held, 2))


@given(st.binary(max_size=60))
def test_noise_never_gets_further_than_one_line(noise):
    array = pickle.dumps({"x": np.arange(3)}, 2)
    for data in (noise, array[: len(noise)] + noise + array[2 * len(noise) :]):
        try:
            load(data)
        except DataError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("place", [b"r\xff\xff\xff\x7f", b"p99999999\n", b"p-1\n"])
def test_a_pickle_that_asks_for_much_memory_is_refused(place):
    with pytest.raises(DataError, match="more memory than it can need"):
        load(b"]" + place + b".")


def test_a_file_is_named(tmp_path):
    (tmp_path / "it").write_bytes(pickle.dumps(Evil((os.getcwd, ())), 2))
    with pytest.raises(DataError, match="it is refused"):
        restricted_load(tmp_path / "it")
    with pytest.raises(DataError, match=r"cannot read .*nothing"):
        restricted_load(tmp_path / "nothing")
