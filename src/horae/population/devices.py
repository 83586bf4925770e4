"""What clients run on: speed and bandwidth by client id and seed alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from horae.errors import require
from horae.pure.streams import uniforms
from horae.types import Capacity, Doubles, Ints

_HALF_CELL = 2.0**-54  # uniforms() lies on a grid of 2^-53 that holds 0: the middle of each cell has a finite quantile


@dataclass(frozen=True)
class SyntheticDevices:
    """Phones from fast to slow: both figures are log-normal over clients and independent of each other.

        ms_per_sample_i = ms_per_sample exp(ms_sd Φ⁻¹(u_i)),    kbps_i = kbps exp(kbps_sd Φ⁻¹(v_i))

    Source: medians 153 ms and 2,209 kbit/s are the sample entry of FedScale's device file; ms_sd is the spread of the
    AI-Benchmark scores of FLASH's phones, ln(7974 / 991) / (2 Φ⁻¹(.9)) = .81. Reading: kbps_sd = 1 is our guess.
    """

    ms_per_sample: float = 153.0
    kbps: float = 2209.0
    ms_sd: float = 0.81
    kbps_sd: float = 1.0

    def __post_init__(self) -> None:
        _check_medians(self.ms_per_sample, self.kbps)
        require(0 <= self.ms_sd <= 5, "devices.ms_sd", "be in [0, 5]", self.ms_sd)
        require(0 <= self.kbps_sd <= 5, "devices.kbps_sd", "be in [0, 5]", self.kbps_sd)

    def capacity(self, clients: Ints, seed: int) -> Capacity:
        """Speed and bandwidth of these clients, whoever else is asked about."""
        ms = _log_normal(self.ms_per_sample, self.ms_sd, seed, "device speed", clients)
        return Capacity(ms, _log_normal(self.kbps, self.kbps_sd, seed, "device bandwidth", clients))


@dataclass(frozen=True)
class UniformDevices:
    """The same device for everybody: the control."""

    ms_per_sample: float = 100.0
    kbps: float = 10_000.0

    def __post_init__(self) -> None:
        _check_medians(self.ms_per_sample, self.kbps)

    def capacity(self, clients: Ints, seed: int) -> Capacity:
        """Speed and bandwidth of these clients."""
        return Capacity(np.full(len(clients), float(self.ms_per_sample)), np.full(len(clients), float(self.kbps)))


def _check_medians(ms_per_sample: float, kbps: float) -> None:
    for field, value in (("devices.ms_per_sample", ms_per_sample), ("devices.kbps", kbps)):
        require(value > 0, field, "be > 0", value)
        require(1e-6 <= value <= 1e9, field, "lie between 1e-6 and 1e9", value)


def _log_normal(median: float, sd: float, seed: int, purpose: str, clients: Ints) -> Doubles:
    values: Doubles = median * np.exp(sd * ndtri(uniforms(seed, purpose, clients) + _HALF_CELL))
    return values
