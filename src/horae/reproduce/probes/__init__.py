"""Measurements that compare no trainings. A probe is a frozen dataclass of its settings, and one line here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from horae.reproduce.probes.clusters import ClientClusters
from horae.reproduce.probes.transfers import Transfers
from horae.reproduce.probes.updates import UpdateSimilarity

Numbers = dict[str, dict[str, float]]  # arm to measure to number


class Probe(Protocol):
    """What a probe can do."""

    def missing(self, data_root: Path | None) -> str:
        """In one line, which data it needs and does not find; empty if none."""

    def measure(self, seed: int, data_root: Path | None) -> Numbers:
        """Everything for one seed."""


PROBES: dict[str, Any] = {
    "client-clusters": ClientClusters,
    "transfers": Transfers,
    "update-similarity": UpdateSimilarity,
}
