"""What a run is made of."""

from __future__ import annotations

from dataclasses import dataclass

from horae.types.protocols import (
    Aggregation,
    Algorithm,
    Alignment,
    Channel,
    Clock,
    Clustering,
    DataPlane,
    Pruning,
    Selector,
)


@dataclass(frozen=True)
class Plan:
    """What a run is made of: one member of each family, and the numbers that belong to the loop.

    participants: per round, shared by all cohorts. overcommit: invited / quorum. linear_lr: scale the
    learning rate by a cohort's share of the participants. deadline_s: the longest a round may last. patience_s: how
    long nobody may come before the run is given up, in simulated seconds. later: (share of the budget, participants
    from then on). aggregation: None is the weighted mean.
    """

    seed: int
    participants: int
    overcommit: float
    budget: Clock
    algorithm: Algorithm
    selector: Selector
    clustering: Clustering
    pruning: Pruning
    alignment: Alignment
    channels: tuple[Channel, ...]
    data_plane: DataPlane
    linear_lr: bool = False
    deadline_s: float = 3600.0
    patience_s: float = 30 * 86400.0
    later: tuple[float, int] = (1.0, 0)
    aggregation: Aggregation | None = None

    def participants_at(self, spent: float) -> int:
        """Participants per round when this share of the budget is used."""
        since, more = self.later
        return more if spent >= since and more else self.participants
