"""Masked payloads as bytes: the same bits back, the sizes that the ledger counts, and one clear line for the rest."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from horae.errors import HoraeError, WireError
from horae.pure.codec import DENSE, mask_nbytes, pack, packed_nbytes, unpack, version_of

KINDS = ["<f4", "<f2", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1", "<c8", "<c16"]
ARRAYS = st.sampled_from(KINDS).flatmap(
    lambda kind: hnp.arrays(np.dtype(kind), hnp.array_shapes(min_dims=0, min_side=0))
)
PAYLOADS = ARRAYS | st.dictionaries(st.text(max_size=5), ARRAYS, max_size=3)
MASKS = st.builds(
    lambda n, share, seed: np.random.default_rng(seed).random(n) < share,
    st.integers(0, 3000), st.sampled_from([0, 0.002, 0.03, 0.5, 1]), st.integers(0, 99),
)  # fmt: skip


def sealed(data):
    """The same bytes with a checksum that fits: what a liar would send."""
    return data[:4] + struct.pack("<I", zlib.crc32(data[8:], zlib.crc32(data[:4]))) + data[8:]


def same(one, other):
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def living(n, share, seed=0):
    """Exactly n - ⌊share n⌋ living weights."""
    mask = np.ones(n, bool)
    mask[np.random.default_rng(seed).permutation(n)[: int(share * n)]] = False
    return mask


@settings(max_examples=150, deadline=None)
@given(PAYLOADS, MASKS, st.booleans())
def test_what_was_packed_comes_back_bit_for_bit_in_as_many_bytes_as_foretold(payload, mask, rides):
    version = version_of(mask)
    data = pack(payload, mask.size, version, mask if rides else None)
    assert len(data) == packed_nbytes(payload, mask_nbytes(mask) if rides else 0)
    read, named, known = unpack(data, {} if rides else {version: mask}, mask.size)
    assert named == version
    assert same(known, mask)
    if isinstance(payload, dict):
        assert list(read) == list(payload)
        assert all(same(read[name], payload[name]) for name in payload)
    else:
        assert same(read, payload)


def test_the_header_of_one_array_is_46_bytes_and_says_what_it_should():
    data = pack(np.array([1, 2], np.float32), 3, DENSE)
    assert len(data) == 46 + 8
    assert data[:4] == b"HRP1"
    assert data[8:10] == bytes([0, 1])  # no flags, one array
    assert data[10:16] == bytes([3, 0, 0, 0, 0, 0])  # weights
    assert data[16:36] == bytes(20)  # no version, no mask
    assert data[36:46] == bytes([0, 1, 2, 0, 0, 0, 0, 0, 0, 0])  # float32, one dimension of two
    assert data[46:] == struct.pack("<ff", 1, 2)


def test_a_nan_keeps_its_payload_and_big_endian_its_numbers():
    odd = np.array([0x7FC12345, 0xFF800001], np.uint32).view(np.float32)
    assert unpack(pack(odd, 2), {})[0].view(np.uint32).tolist() == [0x7FC12345, 0xFF800001]
    assert unpack(pack(np.array([1, 258], ">i4"), 2), {})[0].tolist() == [1, 258]
    steps = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]  # not contiguous
    read = unpack(pack(steps, 6), {})[0]
    assert read.tolist() == steps.tolist()
    read[0, 0] = 7  # fresh and writable


def test_a_size_is_known_without_the_values():
    assert packed_nbytes(np.broadcast_to(np.float32(0), 2**40)) == 46 + 2**42  # four terabytes that nobody holds


def test_a_dense_payload_has_no_mask():
    assert unpack(pack(np.zeros(3, np.float32), 3), {})[1:] == (DENSE, None)


@pytest.mark.parametrize("n", [17_000, 1_664_970])
@pytest.mark.parametrize(("sparsity", "new", "after"), [(0.3, 0.74, 0.71), (0.7, 0.34, 0.31)])
def test_acceptance_fact_5(n, sparsity, new, after):
    mask = living(n, sparsity)
    nnz = int(mask.sum())
    assert nnz == n - int(sparsity * n)
    values, version = np.random.default_rng(1).normal(size=nnz).astype(np.float32), version_of(mask)
    first, later = pack(values, n, version, mask), pack(values, n, version)
    assert len(first) <= (4 * nnz + -(-n // 8)) * 1.01
    assert len(later) <= 4 * nnz * 1.01
    assert len(first) <= new * 4 * n
    assert len(later) <= after * 4 * n
    read, named, learnt = unpack(first, {}, n)
    full = np.zeros(n, np.float32)
    full[learnt] = read
    assert not full[~mask].any()
    assert same(unpack(later, {named: learnt}, n)[0], values)


# ---------------------------------------------------------------- refusals


def test_an_unknown_version_is_refused_by_name():
    mask = np.array([True, False])
    data = pack(np.zeros(1, np.float32), 2, version_of(mask))
    name = version_of(mask).hex()[:8]
    with pytest.raises(WireError, match=rf"^unknown mask version {name}\.\.\.: ask for the mask$"):
        unpack(data, {version_of(~mask): ~mask})


def test_a_payload_of_another_model_is_refused():
    mask = np.array([True, False])
    with pytest.raises(WireError, match=r"^this payload is of a model of 2 weights, not 3$"):
        unpack(pack(np.zeros(1, np.float32), 2), {}, 3)
    with pytest.raises(WireError, match=r"^this payload is of a model of 2 weights, not 3$"):
        unpack(pack(np.zeros(1, np.float32), 2, version_of(mask)), {version_of(mask): np.ones(3, bool)})
    with pytest.raises(WireError, match="of a model of 3 weights, not 2"):
        pack(np.zeros(1, np.float32), 3, version_of(mask), mask)
    with pytest.raises(WireError, match=r"is not the version of this mask; pass version_of\(mask\)"):
        pack(np.zeros(1, np.float32), 2, DENSE, mask)


@pytest.mark.parametrize(
    ("payload", "n", "version", "why"),
    [
        (np.array(["a"]), 1, DENSE, "an array of <U1 does not travel"),
        (np.array([None]), 1, DENSE, "an array of object does not travel"),
        ({"x" * 256: np.zeros(1)}, 1, DENSE, "at most 255 bytes"),
        ({7: np.zeros(1)}, 1, DENSE, "at most 255 bytes"),
        (np.zeros(1), 1, b"short", "a version of 16 bytes"),
        (np.zeros(1), 2**48, DENSE, "fewer than 2\\^48 weights"),
        ({str(i): np.zeros(1) for i in range(256)}, 1, DENSE, "at most 255 arrays"),
    ],
)
def test_what_cannot_travel_is_not_sent(payload, n, version, why):
    with pytest.raises(WireError, match=why) as told:
        pack(payload, n, version)
    assert "\n" not in str(told.value)


def test_a_flipped_bit_a_cut_and_an_addition_are_noticed():
    mask = np.array([True, False, True])
    data = pack({"values": np.ones(2, np.float16)}, 3, version_of(mask), mask)
    for wrong in (data[:-1], data + b"\0", b"", data[:5], b"XRP1" + data[4:]):
        with pytest.raises(WireError, match=r"^corrupt payload: "):
            unpack(wrong, {})
    for bit in range(8 * len(data)):
        wrong = bytearray(data)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises(WireError, match=r"^corrupt payload: "):
            unpack(bytes(wrong), {})


def lies():
    """Headers that lie, under a checksum that fits, with the word that says so."""
    mask = np.array([True, False, True])
    dense = bytearray(pack(np.ones(2, np.float32), 3))
    riding = bytearray(pack(np.ones(2, np.float32), 3, version_of(mask), mask))
    truth = bytearray(pack(np.array([True]), 3))
    named = bytearray(pack({"a": np.ones(1, np.int8), "b": np.ones(1, np.int8)}, 3))

    def lie(data, at, *put):
        return bytes(data[:at]) + bytes(put) + bytes(data[at + len(put) :])

    huge = (255,) * 8
    return {
        "8 values told as 2^64": (lie(dense, 38, *huge), "an array of"),
        "values told as more than there are": (lie(dense, 38, 3), "where its header says 58"),
        "values told as fewer": (lie(dense, 38, 1), "where its header says 50"),
        "unknown dtype": (lie(dense, 36, 99), "an unknown kind of array"),
        "many dimensions": (lie(dense, 37, 33), "an unknown kind of array"),
        "dimensions beyond the end": (lie(dense, 37, 9), "too early"),
        "unknown flag": (lie(dense, 8, 8), "unknown flags"),
        "gaps of nothing": (lie(dense, 8, 2), "unknown flags"),
        "mask without flag": (lie(riding, 8, 0), "unknown flags"),
        "two arrays": (lie(dense, 9, 2), "2 arrays without names"),
        "model told as huge": (lie(riding, 10, *huge[:6]), "1 bytes of mask for 281474976710655 weights"),
        "mask told as huge": (lie(riding, 32, *huge[:4]), "where its header says"),
        "bits told as gaps": (lie(riding, 8, 3), "its mask breaks off"),
        "gaps too long for the model": (lie(lie(riding, 8, 3), 46, 9), "its mask is longer than its model"),
        "another mask": (lie(riding, 46, 0b11000000), "its mask is not"),
        "another version": (lie(riding, 16, 0, 0), "its mask is not"),
        "a truth that is two": (lie(truth, 46, 2), "neither 0 nor 1"),
        "one name twice": (lie(named, 36, 1, 97, 3, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 97), "two arrays of one name"),
        "a name that is no text": (lie(named, 37, 255), "name is no text"),
        "a name beyond the end": (lie(named, 36, 255), "too early"),
    }


@pytest.mark.parametrize("which", lies())
def test_lies_under_a_good_checksum_are_refused(which):
    data, why = lies()[which]
    with pytest.raises(WireError, match=f"^corrupt payload: .*{why}") as told:
        unpack(sealed(data), {})
    assert "\n" not in str(told.value)


def test_a_gap_beyond_seven_bytes_is_refused():
    mask = living(4000, 0.99)
    data = bytearray(pack(np.zeros(1, np.int8), 4000, version_of(mask), mask))
    assert data[8] == 3
    data[46:56] = b"\xff" * 9 + b"\x00"
    with pytest.raises(WireError, match="a gap in its mask is too wide"):
        unpack(sealed(bytes(data)), {})


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_nothing_but_a_wire_error_comes_of_damage(data):
    mask = data.draw(MASKS)
    payload = data.draw(PAYLOADS)
    good = pack(payload, mask.size, version_of(mask), mask)
    wrong = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(wrong), 90) - 1))
        wrong[at] = data.draw(st.integers(0, 255))
    wrong = bytes(wrong[: data.draw(st.integers(0, len(wrong)))]) if data.draw(st.booleans()) else bytes(wrong)
    wrong = sealed(wrong) if len(wrong) >= 8 and data.draw(st.booleans()) else wrong
    try:
        _, _, found = unpack(wrong, {version_of(mask): mask})
    except HoraeError as error:
        assert "\n" not in str(error)
        assert str(error).startswith(("corrupt payload: ", "unknown mask version ", "this payload is of a model of "))
    else:
        assert wrong[:4] == good[:4]
        assert found is None or found.size <= 1024 * len(wrong) or found is mask
