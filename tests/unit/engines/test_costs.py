"""Both cost models, by hand."""

import numpy as np
import pytest

from horae.engines.costs import FedScaleCost, Job, ModelAwareCost, training_flops
from horae.errors import ConfigError
from horae.types import Capacity

JOB = Job(np.array([4, 10]), planned=50, flops_per_sample=6_000_000, nbytes_down=1000, nbytes_up=500)
PHONES = Capacity(np.array([100.0, 200.0]), np.array([100.0, 1000.0]))
# 1,500 bytes are 12 kbit: 0.12 s at 100 kbit/s, 0.012 s at 1,000 kbit/s


def test_fedscale_bills_the_plan_whatever_the_client_holds():
    # 3 x 50 x 0.1 s = 15 s and 3 x 50 x 0.2 s = 30 s
    np.testing.assert_allclose(FedScaleCost().seconds(JOB, PHONES), [15.12, 30.012])


def test_model_aware_bills_the_work_that_is_done():
    # 6 MFLOP of 600: 1 %. 3 x 4 x 0.1 x 0.01 = 0.012 s and 3 x 10 x 0.2 x 0.01 = 0.06 s
    np.testing.assert_allclose(ModelAwareCost().seconds(JOB, PHONES), [0.132, 0.072])


def test_a_reference_half_as_large_doubles_the_computing():
    # 0.024 s and 0.12 s, the wire as before
    np.testing.assert_allclose(ModelAwareCost(reference_flops=300e6).seconds(JOB, PHONES), [0.144, 0.132])


def test_a_client_without_samples_pays_for_the_wire_alone():
    idle = Job(np.array([0, 0]), 50, 6_000_000, 1000, 500)
    np.testing.assert_allclose(ModelAwareCost().seconds(idle, PHONES), [0.12, 0.012])


def test_training_costs_three_forward_passes_a_sample():
    # 3 x 4 x 6e6 and 3 x 10 x 6e6; and no overflow at 10^15, where 32 bits end at 2 x 10^9
    assert training_flops(JOB).tolist() == [72_000_000, 180_000_000]
    big = Job(np.array([1000]), 50, 10**12, 0, 0)
    assert training_flops(big).tolist() == [3 * 10**15]


def test_a_reference_without_work_is_refused():
    with pytest.raises(ConfigError, match=r"cost\.reference_flops should be in \[1, 1e18\], got 0\.0"):
        ModelAwareCost(reference_flops=0.0)
