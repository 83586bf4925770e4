"""float16, int8 and top_k: what comes back, by hand and by property, and in how many bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.channels import Float16, Int8, TopK
from horae.engines.wire import send, wire_nbytes
from horae.errors import ConfigError, WireError
from horae.experiment import load
from horae.pure.codec import pack, packed_nbytes, unpack

STACKS = [
    (Float16(),), (Int8(),), (Int8(0),), (Int8(1),), (Int8(7),), (TopK(0.1),), (TopK(1.0),), (TopK(0.02),),
    (TopK(0.1), Float16()), (TopK(0.3), Int8()), (TopK(0.3), Int8(0)),
]  # fmt: skip
EACH = pytest.mark.parametrize("channels", STACKS, ids=str)
ANY = st.lists(st.floats(width=32), max_size=40)


def through(channels, update, seed=0):
    return send(channels, np.array(update, np.float32), np.random.default_rng(seed))[0]


def encoded(channels, update, seed=0):
    payload, rng = np.array(update, np.float32), np.random.default_rng(seed)
    for channel in channels:
        payload = channel.encode(payload, rng)
    return payload


# ---------------------------------------------------------------- what all of them promise


@EACH
@settings(max_examples=40, deadline=None)
@given(ANY)
def test_sizes_do_not_depend_on_values_and_what_is_not_finite_stays_so(channels, update):
    payload, zeros = encoded(channels, update), encoded(channels, np.zeros(len(update)))
    data = pack(payload, len(update))
    assert len(data) == packed_nbytes(zeros)
    read, _, _ = unpack(data, {}, len(update))
    for channel in reversed(channels):
        read = channel.decode(read)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, through(channels, update))  # the bytes are all there is
    assert np.isfinite(read).all() == np.isfinite(np.array(update, np.float32)).all()


@EACH
def test_the_update_itself_is_left_alone_and_the_generator_decides_all(channels):
    update = np.random.default_rng(0).normal(size=100).astype(np.float32)
    before = update.copy()
    np.testing.assert_array_equal(through(channels, update, 1), through(channels, update, 1))
    encoded(channels, update)
    np.testing.assert_array_equal(update, before)


# ---------------------------------------------------------------- float16


def test_half_precision_by_hand():
    # 1 + 2^-11 lies between 1 and 1 + 2^-10, and goes to the even one; 2^-24 is the least number there is.
    assert through((Float16(),), [1 + 2**-11, 1 + 2**-10, -0.5, 2**-24, 2**-26]).tolist() == [
        1, 1 + 2**-10, -0.5, 2**-24, 0,
    ]  # fmt: skip
    assert through((Float16(),), [65519, 65520, 1e30, -1e30]).tolist() == [65504, 65504, 65504, -65504]
    read = through((Float16(),), [np.inf, -np.inf, np.nan])
    assert read[0] == np.inf and read[1] == -np.inf and np.isnan(read[2])


# ---------------------------------------------------------------- int8


def test_whole_127ths_come_back_exactly_and_so_does_a_constant():
    assert through((Int8(),), [127, -127, 64, 0, 1]).tolist() == [127, -127, 64, 0, 1]
    ugly = np.float32(0.1234567)
    for seed in range(20):
        assert (through((Int8(4),), [ugly, -ugly, ugly, ugly, -ugly], seed) == [ugly, -ugly, ugly, ugly, -ugly]).all()
    assert through((Int8(),), [0, 0]).tolist() == [0, 0]
    assert through((Int8(),), [1e-45, 3e38]).tolist()[1] == np.float32(3e38)


def test_each_block_has_its_own_scale():
    payload = encoded((Int8(2),), [1, -2, 0, 0, 8])
    assert payload["scales"].tolist() == [2, 0, 8]
    assert payload["values"].dtype == np.int8
    assert payload["values"][[1, 2, 3, 4]].tolist() == [-127, 0, 0, 127]
    assert payload["values"][0] in (63, 64)  # 63.5
    assert encoded((Int8(0),), [1, -2, 0, 0, 8])["scales"].tolist() == [8]
    assert encoded((Int8(0),), [])["scales"].size == 0


def test_rounding_is_fair_and_never_more_than_a_step_away():
    # y = 127 x 0.3 = 38.1: 38 or 39. The mean of 40,000 Bernoulli(0.1) is known to 0.0015.
    update = np.full(40_001, 0.3, np.float32)
    update[0] = 1
    read = through((Int8(0),), update)
    assert set(np.rint(read[1:] * 127).tolist()) == {38, 39}
    assert abs(read[1:].mean() * 127 - 38.1) < 0.007


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=40), st.integers(0, 9))
def test_no_weight_is_further_off_than_a_127th_of_its_blocks_largest(update, block):
    given_, read = np.array(update, np.float64), through((Int8(block),), update).astype(np.float64)
    for start in range(0, len(update), block or len(update)):
        part = slice(start, start + (block or len(update)))
        largest = np.abs(given_[part]).max()
        assert (np.abs(read[part] - given_[part]) <= largest / 127 * 1.0001 + 1e-44).all()


def test_a_block_that_is_not_finite_spoils_no_other():
    read = through((Int8(2),), [1, np.inf, 3, 3, np.nan])
    assert np.isnan(read[[0, 1, 4]]).all()
    assert read[[2, 3]].tolist() == [3, 3]


# ---------------------------------------------------------------- top_k


def test_the_largest_survive_and_of_equal_ones_the_first():
    assert through((TopK(0.5),), [1, -3, 2, 0.5]).tolist() == [0, -3, 2, 0]
    assert through((TopK(0.5),), [2, -2, 2, 2, 1, 2]).tolist() == [2, -2, 2, 0, 0, 0]
    assert through((TopK(0.4),), [0, 0, 0, 0, 5]).tolist() == [0, 0, 0, 0, 5]
    assert through((TopK(1.0),), [1, 0, -1]).tolist() == [1, 0, -1]
    read = through((TopK(0.5),), [9, np.nan, 1, -np.inf])
    assert np.isnan(read[1]) and read[3] == -np.inf and read[0] == 0


@pytest.mark.parametrize(("share", "n", "k"), [(0.07, 100, 7), (0.1, 30, 3), (0.1, 31, 4), (1e-5, 10, 1), (0.5, 0, 0)])
def test_k_is_the_share_as_written_rounded_up(share, n, k):
    assert TopK(share).kept(n) == k
    assert np.count_nonzero(through((TopK(share),), np.arange(1, n + 1))) == k


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.floats(0.01, 1))
def test_it_agrees_with_sorting(update, share):
    k = TopK(share).kept(len(update))
    first = sorted(range(len(update)), key=lambda i: (-abs(update[i]), i))[:k]
    expected = [u if i in first else 0 for i, u in enumerate(update)]
    assert through((TopK(share),), update).tolist() == expected


def test_positions_travel_as_bits_or_as_numbers_whichever_is_less():
    # n = 1000: bits are 125 bytes, positions 2 each; 62 of them are less, 63 are not.
    assert encoded((TopK(0.062),), np.arange(1000))["index"].dtype == np.uint16
    assert "bits" in encoded((TopK(0.063),), np.arange(1000))
    assert wire_nbytes((TopK(0.062),), 1000) == 2 + 62 * (4 + 2)
    assert wire_nbytes((TopK(0.1), Float16()), 1000) == 2 + 125 + 100 * 2
    assert wire_nbytes((TopK(0.1), Int8(64)), 1000) == 2 + 125 + 100 + 2 * 4
    assert encoded((TopK(0.01),), np.arange(70_000))["index"].dtype == np.uint32
    assert wire_nbytes((Float16(),), 650) == 1300
    assert wire_nbytes((Int8(),), 650) == 650 + 3 * 4


# ---------------------------------------------------------------- refusals


def test_what_does_not_fit_together_is_refused_in_one_line():
    rng, coded = np.random.default_rng(0), encoded((Int8(),), [1, 2])
    for channel in (TopK(), Int8(), Float16()):
        with pytest.raises(ConfigError, match="channels should ") as why:
            channel.encode(coded, rng)
        assert "\n" not in str(why.value)
    with pytest.raises(
        ConfigError, match="channels should hand float32 values to int8, got 'float16 values'; put int8"
    ):
        Int8().encode(np.zeros(2, np.float16), rng)


def test_a_corrupt_payload_is_refused_in_one_line():
    index, bits = (encoded((TopK(share),), np.arange(1, 1001)) for share in (0.01, 0.5))
    wrong = [
        (TopK(0.01), {**index, "values": index["values"][:9]}),
        (TopK(0.01), {**index, "index": index["index"][:9]}),
        (TopK(0.01), {**index, "index": index["index"] + np.uint16(1000)}),
        (TopK(0.01), {**index, "size": np.array([2**63], np.uint64)}),
        (TopK(0.5), {**bits, "bits": bits["bits"][:-1]}),
        (TopK(0.5), {**bits, "bits": bits["bits"] | 1}),
        (Int8(), {"values": np.zeros(300, np.int8), "scales": np.ones(1, np.float32)}),
    ]
    for channel, payload in wrong:
        with pytest.raises(WireError, match=r"^corrupt payload: ") as why:
            channel.decode(payload)
        assert "\n" not in str(why.value)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [("int8", "block", -1), ("top_k", "share", 0.0), ("top_k", "share", 1.5), ("top_k", "share", float("nan"))],
)
def test_what_makes_no_sense_is_refused_in_one_line(name, field, value):
    with pytest.raises(ConfigError, match=f"channels.{field} should ") as why:
        load({"channels": [{"name": name, field: value}]})
    assert "\n" not in str(why.value)
