import numpy as np
import pytest

from horae.errors import ConfigError
from horae.population import DEVICES, SyntheticDevices, UniformDevices

IDS = np.arange(20_000)


def test_the_figures_of_the_docstring():
    phones = SyntheticDevices().capacity(IDS, 0)
    assert np.median(phones.ms_per_sample) == pytest.approx(153, rel=0.03)
    assert np.median(phones.kbps) == pytest.approx(2209, rel=0.03)
    assert np.log(phones.ms_per_sample).std() == pytest.approx(0.81, rel=0.03)
    assert np.log(phones.kbps).std() == pytest.approx(1.0, rel=0.03)
    # ten times between slow and fast: exp(2 * 1.2816 * .81) = 8.0
    slow, fast = np.quantile(phones.ms_per_sample, [0.9, 0.1])
    assert slow / fast == pytest.approx(8.0, rel=0.06)
    assert abs(np.corrcoef(np.log(phones.ms_per_sample), np.log(phones.kbps))[0, 1]) < 0.03


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_depends_on_id_and_seed_alone(name):
    devices = DEVICES[name]()
    everyone = devices.capacity(IDS, 3)
    some = np.array([9_999_999, 17, 3])
    asked, again = devices.capacity(some, 3), devices.capacity(some[::-1], 3)
    for field in ("ms_per_sample", "kbps"):
        assert getattr(asked, field).tolist() == getattr(again, field)[::-1].tolist()
        assert getattr(asked, field)[1:].tolist() == getattr(everyone, field)[[17, 3]].tolist()
        assert getattr(devices.capacity(np.empty(0, np.int64), 3), field).size == 0


def test_seeds_differ_and_equal_devices_do_not():
    assert not np.array_equal(SyntheticDevices().capacity(IDS, 0).kbps, SyntheticDevices().capacity(IDS, 1).kbps)
    equal = UniformDevices().capacity(IDS, 0)
    assert set(equal.ms_per_sample) == {100.0} and set(equal.kbps) == {10_000.0}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ms_per_sample": 0.0}, "devices.ms_per_sample should be > 0, got 0.0"),
        ({"kbps": float("nan")}, "devices.kbps should be > 0"),
        ({"ms_sd": -1.0}, r"devices.ms_sd should be in \[0, 5\]"),
        ({"kbps_sd": 9.0}, r"devices.kbps_sd should be in \[0, 5\]"),
    ],
)
def test_bad_values_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        SyntheticDevices(**fields)
