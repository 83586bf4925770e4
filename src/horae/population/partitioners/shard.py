"""Shards of samples sorted by label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.population.partitioners.common import count
from horae.population.rows import Ragged
from horae.types import Ints

FIELD = "population.partition"


@dataclass(frozen=True)
class Shard:
    """Samples sorted by label and cut into shards, which are dealt at random.

    num_shards_per_partition: of each client, or 0: as many as there are, dealt out evenly. shard_size: samples in a
    shard, or 0: all samples in shards of near equal size. keep_incomplete_shard: whether the smaller shard left over is
    dealt too, where the shards' number is open.

    Source: McMahan et al. (AISTATS 2017), section 3, as in flwr-datasets' ShardPartitioner. Reading: with shard_size 0
    nothing is left over.
    """

    num_shards_per_partition: int = 2
    shard_size: int = 0
    keep_incomplete_shard: bool = False

    def __post_init__(self) -> None:
        each, size = self.num_shards_per_partition, self.shard_size
        require(each >= 0, f"{FIELD}.num_shards_per_partition", "be >= 0", each, "raise it")
        require(size >= 0, f"{FIELD}.shard_size", "be >= 0", size, "raise it")
        require(each + size > 0, f"{FIELD}.shard_size", "be >= 1 where num_shards_per_partition is 0", size, "raise it")

    def share(self, labels: Ints, owners: Ints | None, clients: int, rng: np.random.Generator) -> Ragged:
        """Positions in `labels (samples,)` for each client; owners are forgotten. Errors: ConfigError."""
        n = count(labels.size, owners, clients)
        mixed = rng.permutation(labels.size)
        ordered = mixed[np.argsort(labels[mixed], kind="stable")]
        shards = self._shards(ordered, n)
        hands: list[list[Ints]] = [[] for _ in range(n)]
        for place, shard in enumerate(rng.permutation(len(shards))):
            hands[place % n].append(shards[shard])
        return Ragged.of(np.sort(np.concatenate(hand)) for hand in hands)

    def _shards(self, ordered: Ints, clients: int) -> list[Ints]:
        """The shards to be dealt, one for each client at least."""
        size, total = self.shard_size, clients * self.num_shards_per_partition
        if size == 0:
            should = f"make at most {ordered.size} shards, the samples there are"
            require(total <= ordered.size, f"{FIELD}.num_shards_per_partition", should, total, "lower it")
            return np.array_split(ordered, total)
        whole = ordered.size // size
        wanted = total or clients
        there = whole + (self.keep_incomplete_shard and total == 0 and ordered.size % size > 0)
        should = f"make {wanted} shards of {ordered.size} samples, so that nobody goes without"
        require(there >= wanted, f"{FIELD}.shard_size", should, size, "lower it")
        return [ordered[k * size : (k + 1) * size] for k in range(total or there)]
