"""What clients run on: speed and bandwidth by client id and seed alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy  # its parts are loaded when they are first used

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

    spread s: 0, all devices are equal; 1, as above; more, worse. It stretches both log-sds, and all devices get faster
    or slower together by one factor f, so that a round lasts as long as before:

        ms_per_sample_i = f ms_per_sample exp(s ms_sd Φ⁻¹(u_i)),    kbps_i = kbps exp(s kbps_sd Φ⁻¹(v_i)) / f

    Held equal is the mean of the time at which the 30th of 38 invited clients is done, in a job whose computing and
    sending last equally long on the median device. Source: Auxo, Figure 2b. Reading: which job, and which quorum.
    """

    ms_per_sample: float = 153.0
    kbps: float = 2209.0
    ms_sd: float = 0.81
    kbps_sd: float = 1.0
    spread: float = 1.0

    def __post_init__(self) -> None:
        _check_medians(self.ms_per_sample, self.kbps)
        require(0 <= self.ms_sd <= 5, "devices.ms_sd", "be in [0, 5]", self.ms_sd)
        require(0 <= self.kbps_sd <= 5, "devices.kbps_sd", "be in [0, 5]", self.kbps_sd)
        require(0 <= self.spread <= 5, "devices.spread", "be in [0, 5]", self.spread)

    def capacity(self, clients: Ints, seed: int) -> Capacity:
        """Speed and bandwidth of these clients, whoever else is asked about."""
        factor = round_s(self.ms_sd, self.kbps_sd) / round_s(self.spread * self.ms_sd, self.spread * self.kbps_sd)
        ms = _log_normal(factor * self.ms_per_sample, self.spread * self.ms_sd, seed, "device speed", clients)
        return Capacity(
            ms, _log_normal(self.kbps / factor, self.spread * self.kbps_sd, seed, "device bandwidth", clients)
        )


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


@lru_cache(maxsize=64)
def round_s(ms_sd: float, kbps_sd: float, quorum: int = 30, invited: int = 38) -> float:
    """How long a round lasts on average, where the median device computes for half a second and sends for as long.

        E T_(30:38) = ∫ Q(p) d I_p(30, 9),    T = (exp(ms_sd z) + exp(kbps_sd z')) / 2

    Q: the quantiles of T, from the middles of 512 x 512 cells of equal probability (no chance is involved). I: the
    distribution of the 30th smallest of 38 uniform numbers, the regularised beta function.

    >>> round_s(0.0, 0.0)
    1.0
    """
    z = scipy.special.ndtri((np.arange(512) + 0.5) / 512)
    times = np.sort(np.add.outer(np.exp(ms_sd * z), np.exp(kbps_sd * z)).ravel() / 2)
    weights = np.diff(scipy.special.betainc(quorum, invited - quorum + 1, np.linspace(0, 1, times.size + 1)))
    return round(float(times @ weights), 12)


def _check_medians(ms_per_sample: float, kbps: float) -> None:
    for field, value in (("devices.ms_per_sample", ms_per_sample), ("devices.kbps", kbps)):
        require(value > 0, field, "be > 0", value)
        require(1e-6 <= value <= 1e9, field, "lie between 1e-6 and 1e9", value)


def _log_normal(median: float, sd: float, seed: int, purpose: str, clients: Ints) -> Doubles:
    values: Doubles = median * np.exp(sd * scipy.special.ndtri(uniforms(seed, purpose, clients) + _HALF_CELL))
    return values
