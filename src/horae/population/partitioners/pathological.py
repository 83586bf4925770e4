"""A few labels for each client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from horae.errors import require
from horae.population.partitioners.common import count, gathered
from horae.population.rows import Ragged
from horae.types import UNKNOWN, Bools, Ints


@dataclass(frozen=True)
class Pathological:
    """Each client holds so many labels; a label's samples are shared evenly by those who hold it.

    class_assignment_mode: "random", each client draws its labels; "deterministic", client i holds the labels from i on;
    "first-deterministic", label i and others drawn. Samples of a label that nobody holds are left out.

    Source: Li et al. (ICDE 2022), as in flwr-datasets' PathologicalPartitioner. Reading: where a label has fewer
    samples than holders, those with the fewest samples so far are served first.
    """

    num_classes_per_partition: int = 2
    class_assignment_mode: Literal["random", "deterministic", "first-deterministic"] = "random"

    def __post_init__(self) -> None:
        least = self.num_classes_per_partition
        require(least >= 1, "population.partition.num_classes_per_partition", "be >= 1", least, "raise it")

    def share(self, labels: Ints, owners: Ints | None, clients: int, rng: np.random.Generator) -> Ragged:
        """Positions in `labels (samples,)` for each client; owners are forgotten. Errors: ConfigError."""
        n, kinds = count(labels.size, owners, clients), np.unique(labels)
        field, each = "population.partition.num_classes_per_partition", self.num_classes_per_partition
        require(each <= kinds.size, field, f"be <= {kinds.size}, the labels there are", each, "lower it")
        holds = self._holds(n, kinds.size, rng)
        who, sizes = np.full(labels.size, UNKNOWN), np.zeros(n, np.int64)
        for c in np.argsort(np.unique(labels, return_counts=True)[1], kind="stable"):  # the rarest first
            mine, members = (
                rng.permutation(np.flatnonzero(labels == kinds[c])),
                rng.permutation(np.flatnonzero(holds[:, c])),
            )
            if members.size == 0:
                continue
            members = members[np.argsort(sizes[members], kind="stable")]
            counts = mine.size // members.size + (np.arange(members.size) < mine.size % members.size)
            who[mine] = np.repeat(members, counts)
            sizes[members] += counts
        empty = int((sizes == 0).sum())
        remedy = "raise num_classes_per_partition, or lower clients"
        require(empty == 0, "population.partition", "leave nobody without samples", f"{empty} without", remedy)
        return gathered(who, n)

    def _holds(self, clients: int, kinds: int, rng: np.random.Generator) -> Bools:
        """Who holds which label, `(clients, kinds)`."""
        holds, each = np.zeros((clients, kinds), bool), self.num_classes_per_partition
        for i in range(clients):
            if self.class_assignment_mode == "deterministic":
                chosen = (i + np.arange(each)) % kinds
            elif self.class_assignment_mode == "random":
                chosen = rng.permutation(kinds)[:each]
            else:
                others = np.delete(np.arange(kinds), i % kinds)
                chosen = np.concatenate([[i % kinds], rng.permutation(others)[: each - 1]])
            holds[i, chosen] = True
        return holds
