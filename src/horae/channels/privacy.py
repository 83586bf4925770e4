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

from horae.errors import ConfigError, one_line
from horae.pure.accountant import APART, delta_of, epsilon_of

__all__ = ["check_accountant", "delta_of", "epsilon_of", "sigma_for"]

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
