"""What a census came to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

RELEASED, REFUSED, ABORTED = "released", "refused", "aborted"


@dataclass(frozen=True)
class Result:
    """Totals, or why there are none; who is in them; what it cost.

    `status` is released, refused (by the auditor) or aborted; `dropped` dealt shares and are not in the totals (D),
    `absent` were invited and dealt none. Seconds are the driver's clock.
    """

    epoch: int
    status: str
    reason: str
    totals: NDArray[np.int64] | None
    survivors: tuple[int, ...]
    dropped: tuple[int, ...]
    absent: tuple[int, ...]
    attempts: int
    refusals: tuple[tuple[int, str, str], ...]  # client, why, in words
    rejected: tuple[str, ...]
    bytes_up: dict[int, int] = field(repr=False)
    bytes_down: dict[int, int] = field(repr=False)
    seconds: float = 0.0

    def took(self, seconds: float) -> Result:
        return replace(self, seconds=seconds)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; bytes as means over the clients that were invited."""
        everybody = max(len(self.bytes_down), 1)
        return {
            "epoch": self.epoch,
            "status": self.status,
            "reason": self.reason,
            "totals": None if self.totals is None else self.totals.tolist(),
            "survivors": list(self.survivors),
            "dropped": list(self.dropped),
            "absent": list(self.absent),
            "attempts": self.attempts,
            "refused": [{"client": c, "why": why, "words": words} for c, why, words in self.refusals],
            "rejected": list(self.rejected),
            "bytes_up_per_client": round(sum(self.bytes_up.values()) / everybody),
            "bytes_down_per_client": round(sum(self.bytes_down.values()) / everybody),
            "seconds": self.seconds,
        }
