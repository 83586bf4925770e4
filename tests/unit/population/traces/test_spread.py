"""The knob of system heterogeneity: `devices.spread`."""

import numpy as np
import pytest

from horae.errors import ConfigError
from horae.population import SyntheticDevices
from horae.population.devices import round_s
from horae.pure.streams import uniforms

IDS = np.arange(40_000)


def rounds_s(devices, seed=0):
    """Mean time of the 30th of 38 clients, in a job that computes and sends for half a second on the median one."""
    own = devices.capacity(IDS, seed)
    lasts = 0.5 * own.ms_per_sample / devices.ms_per_sample + 0.5 * devices.kbps / own.kbps
    groups = lasts[: lasts.size // 38 * 38].reshape(-1, 38)
    return np.sort(groups, axis=1)[:, 29].mean()


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0, 1.7, 3.0])
def test_a_round_lasts_as_long_whatever_the_spread(spread):
    # 1,052 simulated rounds: the mean is known to about 2 % at a spread of 3
    assert rounds_s(SyntheticDevices(spread=spread)) == pytest.approx(round_s(0.81, 1.0), rel=0.06)


def test_a_spread_of_one_changes_no_bit():
    as_before = 153.0 * np.exp(0.81 * _normal("device speed")), 2209.0 * np.exp(1.0 * _normal("device bandwidth"))
    own = SyntheticDevices().capacity(IDS, 7)
    assert np.array_equal(own.ms_per_sample, as_before[0]) and np.array_equal(own.kbps, as_before[1])


def _normal(purpose):
    from scipy.special import ndtri

    return ndtri(uniforms(7, purpose, IDS) + 2.0**-54)


def test_none_is_all_alike_and_more_is_wider():
    alike = SyntheticDevices(spread=0.0).capacity(IDS, 0)
    # f = round_s(.81, 1) / round_s(0, 0): everybody takes as long as the 30th of 38 took
    assert set(alike.ms_per_sample) == {153.0 * round_s(0.81, 1.0)} and np.unique(alike.kbps).size == 1
    widths = [np.log(SyntheticDevices(spread=s).capacity(IDS, 0).kbps).std() for s in (0.5, 1.0, 2.0)]
    np.testing.assert_allclose(widths, [0.5, 1.0, 2.0], rtol=0.02)


def test_the_expected_round_by_hand():
    assert round_s(0.0, 0.0) == 1.0
    # the greatest of two equal devices with sd s in speed alone: (1 + E max(e^sz, e^sz')) / 2 with
    # E max = 2 e^(s²/2) Φ(s / √2); for s = 1: 2 · 1.6487 · .7602 = 2.5069
    assert round_s(1.0, 0.0, quorum=2, invited=2) == pytest.approx((1 + 2.5069) / 2, rel=0.005)


@pytest.mark.parametrize("spread", [-0.1, 5.1, float("nan")])
def test_bad_values_are_refused(spread):
    with pytest.raises(ConfigError, match=r"devices.spread should be in \[0, 5\]"):
        SyntheticDevices(spread=spread)
