"""Local differential privacy: a client clips its update and adds noise to it before anybody else sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.channels.privacy import check_accountant, epsilon_of, sigma_for
from horae.errors import require
from horae.types import Floats, Payload


@dataclass(frozen=True)
class ClipNoise:
    """The update scaled to a length of at most C, plus Gaussian noise of standard deviation σ C in every coordinate.

        u ← u min(1, C / ‖u‖₂) + N(0, σ² C² I)

    clip: C. noise: σ; 0 is clipping alone, and no privacy. epsilon: in place of noise, the ε that a client has spent
    after `visits` participations, at `delta`; σ follows from it (`pip install "horae[privacy]"`). visits: the most
    participations of one client, in all cohorts together; after the last it stays away. 0 is any number, and cannot be
    asked for with epsilon.

    Source: Auxo 5.2 and 7.5; upstream's C. Reading: local privacy hides which update it was, so any two updates are
    neighbours, 2 C apart (see `privacy`). For a simulation: floating-point noise is not what a device should draw.
    """

    clip: float = 1.0
    noise: float = 0.0
    epsilon: float = 0.0
    delta: float = 1e-6
    visits: int = 0

    def __post_init__(self) -> None:
        require(1e-12 <= self.clip <= 1e12, "channels.clip", "be in [1e-12, 1e12]", self.clip)
        require(0 <= self.noise <= 1e12, "channels.noise", "be in [0, 1e12]", self.noise)
        require(0 < self.delta < 1, "channels.delta", "be in (0, 1)", self.delta, "1e-6 is usual")
        require(0 <= self.visits <= 10**6, "channels.visits", "be in [0, 1000000]", self.visits)
        should = "be 0 (σ from noise) or in [0.01, 20]"
        require(self.epsilon == 0 or 0.01 <= self.epsilon <= 20, "channels.epsilon", should, self.epsilon)
        if self.epsilon:
            require(self.noise == 0, "channels.noise", "be 0 beside channels.epsilon", self.noise, "leave one away")
            should, remedy = "be >= 1 beside channels.epsilon", "say how often one client may take part"
            require(self.visits >= 1, "channels.visits", should, self.visits, remedy)
            check_accountant()

    @property
    def sigma(self) -> float:
        """σ, the noise's standard deviation in units of C."""
        return sigma_for(self.epsilon, self.delta, self.visits) if self.epsilon else self.noise

    def spent(self, visits: int) -> dict[str, float | int | None]:
        """σ, and the ε at δ of a client that sent so many updates; null where there is no bound."""
        epsilon = epsilon_of(self.sigma, self.delta, visits) if visits else None
        return {"clip": self.clip, "sigma": self.sigma, "visits": visits, "epsilon": epsilon, "delta": self.delta}

    def encode(self, payload: Payload, rng: np.random.Generator) -> Payload:
        """Clipped and noised, as many float32 as before. An update that is not finite stays so."""
        require(isinstance(payload, np.ndarray), "channels", "have clip_noise first", type(payload).__name__)
        update: Floats = payload
        length = float(np.linalg.norm(update.astype(np.float64)))
        clipped = update * np.float32(min(1.0, self.clip / length)) if length > self.clip else update
        if not self.sigma:
            return clipped
        drawn = rng.standard_normal(update.size, np.float32)
        return clipped + drawn * np.float32(self.sigma * self.clip)

    def decode(self, payload: Payload) -> Payload:
        """As it came."""
        return payload
