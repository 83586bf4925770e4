"""Clipping and noise, by hand and by statistics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.channels import ClipNoise
from horae.engines.wire import send, wire_nbytes
from horae.errors import ConfigError
from horae.experiment import load


def through(channel, *update, seed=0):
    return send((channel,), np.array(update, np.float32), np.random.default_rng(seed))[0]


def test_a_long_update_is_shortened_and_a_short_one_is_left_alone():
    np.testing.assert_allclose(through(ClipNoise(clip=1.0), 3.0, 4.0), [0.6, 0.8], rtol=1e-6)  # ‖(3, 4)‖ = 5
    assert through(ClipNoise(clip=5.0), 3.0, 4.0).tolist() == [3.0, 4.0]
    assert through(ClipNoise(), 0.0, 0.0).tolist() == [0.0, 0.0]


@settings(max_examples=60)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=20), st.floats(1e-3, 1e3))
def test_no_clipped_update_is_longer_than_c(update, clip):
    read = through(ClipNoise(clip=clip), *update)
    assert np.linalg.norm(read.astype(np.float64)) <= clip * (1 + 1e-5)


def test_noise_has_the_standard_deviation_sigma_c_in_every_coordinate_and_no_mean():
    # 20,000 draws of sd 0.6 x 0.5 = 0.3: the mean is known to 0.3/141 = 0.002, the sd to 0.0015.
    read = through(ClipNoise(clip=0.5, noise=0.6), *np.zeros(20_000))
    assert read.dtype == np.float32
    assert abs(read.mean()) < 0.01
    assert abs(read.std() - 0.3) < 0.006
    assert abs(np.corrcoef(read[::2], read[1::2])[0, 1]) < 0.04


def test_noise_follows_from_the_generator_alone():
    channel = ClipNoise(noise=1.0)
    assert through(channel, 1.0, 2.0).tolist() == through(channel, 1.0, 2.0).tolist()
    assert through(channel, 1.0, 2.0).tolist() != through(channel, 1.0, 2.0, seed=1).tolist()


def test_an_update_that_is_not_finite_is_not_mended():
    for bad in (np.nan, np.inf):
        with np.errstate(invalid="ignore"):
            assert not np.isfinite(through(ClipNoise(noise=0.1), bad, 1.0)).all()


def test_it_travels_in_as_many_bytes():
    assert wire_nbytes((ClipNoise(noise=1.0),), 650) == 4 * 650


def test_it_has_to_come_first():
    with pytest.raises(ConfigError, match="channels should have clip_noise first, got 'dict'"):
        ClipNoise().encode({"codes": np.zeros(2)}, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("clip", {"clip": 0.0}), ("clip", {"clip": -1.0}), ("noise", {"noise": -0.1}), ("delta", {"delta": 0.0}),
        ("delta", {"delta": 1.0}), ("visits", {"visits": -1}), ("epsilon", {"epsilon": -1.0}),
        ("noise", {"noise": 1.0, "epsilon": 2.0, "visits": 3}), ("visits", {"epsilon": 2.0}),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_line(field, fields):
    with pytest.raises(ConfigError, match=f"channels.{field} should ") as why:
        load({"channels": [{"name": "clip_noise", **fields}]})
    assert "\n" not in str(why.value)


def test_without_noise_or_participations_nothing_is_promised():
    assert ClipNoise().spent(9)["epsilon"] is None
    told = ClipNoise(clip=2.0, noise=1.0).spent(0)
    assert told == {"clip": 2.0, "sigma": 1.0, "visits": 0, "epsilon": None, "delta": 1e-6}
