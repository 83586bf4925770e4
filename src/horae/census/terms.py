"""What the operator and its members agree on before a census."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from math import ceil, sqrt

from horae.errors import require
from horae.pure.accountant import epsilon_of

TRANSPORTS = ("chain", "star")
FIELDS = 3  # after the counts: one for each member, the total, a checksum
ROOM = 2**63  # sums stay below, so that they can be read as signed numbers


@dataclass(frozen=True)
class Terms:
    """Sizes and bounds of a census: d mask neighbours, Shamir threshold t, counts of at most c_max.

    In a roster of at most d + 1 members everybody is everybody's neighbour, and t shrinks with the neighbourhood.
    `noise` is the standard deviation that at least `n_min` members together add to every total; it needs `most`, the
    largest sum of a member's counts. `segments` are chains that run side by side; the star is a chain of one each.
    """

    labels: int
    clip: int = 10_000
    n_min: int = 10
    degree: int = 32
    threshold: int = 21
    colluders: int = 9
    transport: str = "star"
    segments: int = 1
    hop_s: float = 10.0
    attempts: int = 3
    noise: float = 0.0
    most: int = 0

    def __post_init__(self) -> None:
        d, t, c = self.degree, self.threshold, self.colluders
        require(1 <= self.labels <= 2**20, "census.labels", "be in [1, 1048576]", self.labels)
        require(1 <= self.clip < 2**40, "census.clip", "be in [1, 2^40)", self.clip)
        require(3 <= self.n_min < 2**20, "census.n_min", "be in [3, 2^20)", self.n_min)
        require(d >= 2 and d % 2 == 0, "census.degree", "be even and at least 2", d)
        require(1 <= t <= d, "census.threshold", f"be in [1, degree = {d}]", t)
        require(c >= 0, "census.colluders", "be at least 0", c)
        remedy = f"take at least {(d + c) // 2 + 1}, or members could be made to open both secrets of one"
        require(2 * t > d + c, "census.threshold", f"exceed (degree + colluders) / 2 = {(d + c) / 2:g}", t, remedy)
        known = self.transport in TRANSPORTS
        require(known, "census.transport", f"be one of {', '.join(TRANSPORTS)}", self.transport)
        require(self.segments >= 1, "census.segments", "be at least 1", self.segments)
        require(self.hop_s > 0, "census.hop_s", "be positive", self.hop_s)
        require(1 <= self.attempts < 2**16, "census.attempts", "be in [1, 65535]", self.attempts)
        self._check_noise()

    def _check_noise(self) -> None:
        require(self.noise >= 0, "census.noise", "be at least 0", self.noise)
        if self.noise:
            least = 2 * sqrt(self.n_min)
            require(self.noise >= least, "census.noise", f"be 0 or at least 2 √n_min = {least:.2f}", self.noise)
            require(self.noise <= 1e6, "census.noise", "be at most 1e6", self.noise)
            require(self.most >= 1, "census.most", "be at least 1 where there is noise", self.most)

    @property
    def width(self) -> int:
        """Words of a member's vector."""
        return self.labels + FIELDS

    @property
    def share(self) -> float:
        """The standard deviation of what one member adds, so that n_min of them make up the noise."""
        return self.noise / sqrt(self.n_min)

    def shares_needed(self, neighbours: int) -> int:
        """t, in proportion where the roster is too small for d neighbours, and always more than half of them."""
        return max(neighbours // 2 + 1, ceil(self.threshold * min(neighbours, self.degree) / self.degree))

    def fits(self, members: int) -> bool:
        """Whether the sum of so many members cannot overflow."""
        return members * self.clip * self.labels < ROOM

    def epsilon(self, delta: float, windows: int) -> float | None:
        """The ε at δ of a member counted in so many windows; None without noise.

        Reading: replacing one member moves the totals by at most 2 `most`, as `pure.accountant` assumes; a sum of
        rounded Gaussians of deviation 2 or more is taken for one Gaussian.
        """
        return epsilon_of(self.noise / self.most, delta, windows) if self.noise else None

    def context(self, run: bytes) -> bytes:
        """What every signature and every sealed message is bound to: the run, and these terms."""
        agreed = {key: value for key, value in asdict(self).items() if key not in _OPERATORS}
        return hashlib.sha256(b"halor-chain/1" + run + json.dumps(agreed, sort_keys=True).encode()).digest()


_OPERATORS = {"transport", "segments", "hop_s", "attempts"}  # the operator's own affair
