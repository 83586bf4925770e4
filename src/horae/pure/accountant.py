"""What a client has spent of its privacy: the (ε, δ) of Gaussian noise, after any number of participations.

Two things that must not be told apart are at most 2 C apart, and noise of σ C is a Gaussian mechanism of multiplier
σ / 2. Participations compose: T of them are one mechanism of multiplier σ / (2 √T).
"""

from __future__ import annotations

import numpy as np
import scipy  # its parts are loaded when they are first used

APART = 2.0  # two clipped updates, in units of C
MOST = 1e6  # an epsilon beyond this is none


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
    return float(
        scipy.optimize.brentq(lambda epsilon: delta_of(epsilon, mu) - delta, 0.0, mu**2 / 2 + 40 * mu, xtol=1e-12)
    )


def delta_of(epsilon: float, mu: float) -> float:
    """δ(ε) of one Gaussian whose means are μ standard deviations apart."""
    below, above = scipy.special.ndtr(mu / 2 - epsilon / mu), scipy.special.log_ndtr(-mu / 2 - epsilon / mu)
    return float(below - np.exp(epsilon + above))
