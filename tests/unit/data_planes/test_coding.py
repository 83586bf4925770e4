"""The bytes of arrays: those of the library safetensors, and one refusal for whatever is not."""

import json

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from horae.data_planes.coding import checksum, decode, encode
from horae.errors import WireError

KINDS = [np.float64, np.float32, np.float16, np.int64, np.int8, np.uint8, np.bool_, np.complex64]
NUMBERS = st.sampled_from(KINDS).flatmap(lambda kind: arrays(kind, array_shapes(min_dims=0, min_side=0, max_side=4)))


def joined(some):
    parts, codec = encode(some)
    return b"".join(parts), codec


@given(st.dictionaries(st.text(max_size=5), NUMBERS, max_size=4))
def test_what_was_encoded_is_decoded_bit_for_bit_in_the_same_order(some):
    back = decode(*joined(some))
    assert list(back) == list(some)
    for name, array in some.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert back[name].tobytes() == array.tobytes()
        assert not back[name].flags.writeable


def test_the_library_reads_what_is_written_and_its_files_are_read():
    some = {"bits": np.array([True, False, True]), "w": np.arange(6.0).reshape(2, 3), "none": np.zeros(0, np.float32)}
    data, codec = joined(some)
    assert codec == "safetensors"
    for back in (safetensors.numpy.load(data), decode(safetensors.numpy.save(some), "safetensors")):
        assert back.keys() == some.keys()
        assert all(np.array_equal(back[name], array) for name, array in some.items())


def test_views_lie_where_their_numbers_may_lie_and_strides_and_byte_orders_do_not_matter():
    data, _ = joined({"bits": np.ones(3, bool), "w": np.arange(8.0)[::2], "big": np.arange(3, dtype=">i4")})
    back = decode(data, "safetensors")
    assert all(array.flags.aligned for array in back.values())
    np.testing.assert_array_equal(back["w"], [0, 2, 4, 6])
    np.testing.assert_array_equal(back["big"], [0, 1, 2])


def test_complex_numbers_go_by_the_other_codec():
    assert encode({"z": np.ones(2, np.complex64)})[1] == "horae"


@pytest.mark.parametrize(
    ("arrays", "why"), [({"o": np.array([{}])}, "send numbers"), ({"__metadata__": np.ones(1)}, "another name")]
)
def test_what_cannot_travel_is_refused(arrays, why):
    with pytest.raises(WireError, match=why):
        encode(arrays)


def forged(header, body=b""):
    words = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(words).to_bytes(8, "little") + words + body


def one(dtype="F32", shape=(1,), span=(0, 4)):
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": span}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 20,
        forged(b"{"),
        forged(b"[]"),
        forged(one("BF16"), b"1234"),
        forged(one(shape=(2,)), b"1234"),
        forged(one(shape=(-1,), span=(0, -4)), b""),
        forged(one(shape=(2**61, 2**61), span=(0, 2**61)), b"1234"),
        forged(one(shape=(1.0,)), b"1234"),
        forged(one(span=(0, 4, 4)), b"1234"),
        forged(one(span=("0", 4)), b"1234"),
        forged(one(), b"12345"),
        forged(one(span=(1, 5)), b"12345"),
        forged({**one(), "v": one()["w"]}, b"1234"),
        forged(one("BOOL", (1,), (0, 1)), b"\x02"),
        forged(b"[" * 100_000),
    ],
)
def test_foreign_bytes_are_refused_in_one_line(data):
    with pytest.raises(WireError, match="corrupt payload"):
        decode(data, "safetensors")


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_changed_byte_changes_the_checksum(place, value):
    data = bytearray(joined({"w": np.arange(40.0)})[0])
    place %= len(data)
    before, same = checksum([bytes(data)]), data[place] == value
    data[place] = value
    assert (checksum([bytes(data)]) == before) == same


def test_the_checksum_is_crc32_over_all_pieces_and_never_zero():
    assert checksum([b"123456789"]) == checksum([b"12345", b"6789"]) == 0xCBF43926  # the usual check value
    assert checksum([]) == 1


def test_an_unknown_codec_is_named():
    with pytest.raises(WireError, match="'pickle'; known: horae, safetensors"):
        decode(b"", "pickle")
