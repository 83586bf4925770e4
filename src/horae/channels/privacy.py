"""What Gaussian noise on clipped updates is worth: (ε, δ), after any number of participations.

An update lies in a ball of radius C, so two of them are at most 2 C apart, and noise of σ C is a Gaussian mechanism of
multiplier σ / 2. Participations compose: T of them are one mechanism of multiplier σ / (2 √T), and cost the same
whatever the client sent before. Sampling earns nothing, for the server sees who takes part.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr

from horae.errors import ConfigError, one_line

APART = 2.0  # two clipped updates, in units of C
MOST = 1e6  # an epsilon beyond this is none
MISSING = 'channels.epsilon needs an accountant: pip install "horae[privacy]", or set channels.noise instead'


def check_accountant() -> None:
    """Refuse to derive σ where the accountant is not installed. Errors: ConfigError."""
    if find_spec("dp_accounting") is None:
        raise ConfigError(MISSING)


@lru_cache(maxsize=64)
def sigma_for(epsilon: float, delta: float, visits: int) -> float:
    """The least σ with which `visits` participations are (ε, δ)-private, by Google's dp-accounting, rounded up."""
    try:
        import dp_accounting  # takes seconds, and most runs need none
        from dp_accounting.pld import PLDAccountant
    except ImportError as error:
        raise ConfigError(f"{MISSING} ({one_line(error, 80)})") from None

    def event(multiplier: float) -> Any:
        return dp_accounting.GaussianDpEvent(multiplier / np.sqrt(visits))

    found = dp_accounting.calibrate_dp_mechanism(
        PLDAccountant, event, epsilon, delta, dp_accounting.LowerEndpointAndGuess(0, np.sqrt(visits)), tol=1e-4
    )
    return float(np.ceil(APART * found * 1e4) / 1e4)


def epsilon_of(sigma: float, delta: float, visits: int) -> float | None:
    """The ε at δ of a client after `visits` participations; None without noise, or where ε is beyond a million.

        δ(ε) = Φ(μ/2 - ε/μ) - e^ε Φ(-μ/2 - ε/μ),    μ = 2 √visits / σ

    Source: Balle and Wang (2018), Theorem 8, which is exact for one Gaussian; Dong, Roth and Su (2022), Corollary 3.3,
    by which Gaussians compose into one.
    """
    if sigma <= 0 or visits < 1:
        return None
    mu = APART * np.sqrt(visits) / sigma
    if mu**2 / 2 + 40 * mu > MOST:
        return None
    if delta_of(0.0, mu) <= delta:
        return 0.0
    return float(brentq(lambda epsilon: delta_of(epsilon, mu) - delta, 0.0, mu**2 / 2 + 40 * mu, xtol=1e-12))


def delta_of(epsilon: float, mu: float) -> float:
    """δ(ε) of one Gaussian whose means are μ standard deviations apart."""
    return float(ndtr(mu / 2 - epsilon / mu) - np.exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu)))
