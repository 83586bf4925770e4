"""An update's way through the channels."""

import numpy as np

from horae.engines.wire import nbytes, send, wire_nbytes


class Plus:
    """Adds one on the way out, takes it off on the way in."""

    def encode(self, payload, rng):
        return payload + np.float32(1)

    def decode(self, payload):
        return payload - np.float32(1)


class Times:
    """Doubles on the way out, halves on the way in."""

    def encode(self, payload, rng):
        return payload * np.float32(2)

    def decode(self, payload):
        return payload / np.float32(2)


class Bytes:
    """One byte a weight and a scale, as a dictionary."""

    def encode(self, payload, rng):
        scale = np.float32(max(np.abs(payload).max(), 1e-9) / 127)
        return {"codes": np.round(payload / scale).astype(np.int8), "scale": scale}

    def decode(self, payload):
        return payload["codes"] * payload["scale"]


class Noise:
    def encode(self, payload, rng):
        return payload + rng.normal(size=payload.size).astype(np.float32)

    def decode(self, payload):
        return payload


UPDATE = np.array([1.0, -2.0, 127.0], np.float32)


def test_without_channels_an_update_travels_as_it_is_in_four_bytes_a_weight():
    read, size = send((), UPDATE, np.random.default_rng(0))
    np.testing.assert_array_equal(read, UPDATE)
    assert size == 12
    assert wire_nbytes((), 3) == 12


def test_channels_are_undone_in_reverse():
    # out: (x + 1) 2; back: halve, then take one off. In the same order it would be ((x + 1) 2 - 1) / 2 = x + 1/2.
    read, _ = send((Plus(), Times()), UPDATE, np.random.default_rng(0))
    np.testing.assert_array_equal(read, UPDATE)


def test_what_travels_is_what_the_last_channel_made():
    read, size = send((Plus(), Bytes()), UPDATE, np.random.default_rng(0))
    assert size == 3 + 4  # three codes and a float32 scale
    assert wire_nbytes((Plus(), Bytes()), 3) == 7
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, UPDATE, atol=128 / 127 / 2 + 1e-5)  # half a step of the scale
    assert read.tolist() != UPDATE.tolist()


def test_a_channel_draws_from_the_generator_that_it_is_given():
    one, two, other = (send((Noise(),), UPDATE, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert one.tolist() != other.tolist()


def test_bytes_of_an_array_of_a_dictionary_and_of_nothing():
    assert nbytes(np.zeros(5, np.float16)) == 10
    assert nbytes({"a": np.zeros(2, np.int64), "b": np.float32(1)}) == 20
    assert nbytes({}) == 0
