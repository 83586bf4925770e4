"""What a run is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from horae.pure.tree import Cohort, Path
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
from horae.types.values import News, Outcome


@dataclass(frozen=True)
class Server:
    """What takes a cohort's server step: all that an aggregator needs of a plan."""

    seed: int
    algorithm: Algorithm
    selector: Selector
    aggregation: Aggregation | None = None


class Aggregator(Protocol):
    """Takes cohorts' server steps somewhere else than in the loop's process."""

    def keep(self, paths: tuple[Path, ...]) -> None:
        """These are the leaves from now on."""

    def step(self, cohort: Cohort, outcome: Outcome) -> tuple[Cohort | None, tuple[News, ...]]:
        """The cohort after the step; or None where it is lost, and for the log why.

        Errors: RunError where it is lost again and again.
        """


@dataclass(frozen=True)
class Plan:
    """What a run is made of: one member of each family, and the numbers that belong to the loop.

    participants: per round, shared by all cohorts. overcommit: invited / quorum. linear_lr: scale the
    learning rate by a cohort's share of the participants. deadline_s: the longest a round may last. patience_s: how
    long nobody may come before the run is given up, in simulated seconds. later: (share of the budget, participants
    from then on). aggregation: None is the weighted mean. aggregator: None is the
    loop itself.
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
    aggregator: Aggregator | None = None

    def participants_at(self, spent: float) -> int:
        """Participants per round when this share of the budget is used."""
        since, more = self.later
        return more if spent >= since and more else self.participants
