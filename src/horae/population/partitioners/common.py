"""What the partitions share: how many clients, numbers in proportion, the repair of clients that have too few."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from horae.errors import require
from horae.population.rows import Ragged
from horae.types import Doubles, Ints


def count(samples: int, owners: Ints | None, clients: int) -> int:
    """How many clients there shall be: as many as owners where 0 are asked for. Errors: ConfigError."""
    wanted = clients or (0 if owners is None else np.unique(owners).size)
    should = f"be in [1, {samples}], the samples there are"
    require(1 <= wanted <= samples, "population.clients", should, wanted, "nobody owns these samples: say how many")
    return int(wanted)


def quotas(shares: Doubles, total: int, rng: np.random.Generator) -> Ints:
    """`total` things in whole numbers in proportion to shares; the largest remainders get one more, ties by lot.

    >>> quotas(np.array([1.0, 2.0, 1.0]), 4, np.random.default_rng(0)).tolist()
    [1, 2, 1]
    """
    exact = shares / shares.sum() * total
    counts: Ints = np.floor(exact + 1e-9).astype(np.int64)
    lot = rng.permutation(shares.size)
    first = lot[np.argsort(-(exact - counts)[lot], kind="stable")]
    counts[first[: total - counts.sum()]] += 1
    return counts


def cut(rows: Ints, sizes: Ints) -> Ragged:
    """Rows in order, the first sizes[0] to client 0, and so on; each client's sorted."""
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Ragged.of(np.sort(rows[start:end]) for start, end in pairwise(offsets))


def gathered(who: Ints, clients: int) -> Ragged:
    """Each client's positions in `who (samples,)`, the client that gets each sample; below 0 is nobody."""
    order = np.argsort(who, kind="stable")
    first = int((who < 0).sum())
    offsets = np.concatenate([[0], np.cumsum(np.bincount(who[who >= 0], minlength=clients))]).astype(np.int64)
    return Ragged(offsets, order[first:].astype(np.int64))


def mended(who: Ints, clients: int, least: int, rng: np.random.Generator) -> Ints:
    """The same, but nobody has fewer than `least`: who has too few gets samples of whoever has most, by lot.

    It ends after two turns for each client at most: each turn helps one out, or brings the richest down to `least`.
    """
    who = who.copy()
    sizes = np.bincount(who, minlength=clients)
    for poor in np.flatnonzero(sizes < least):
        while sizes[poor] < least:
            rich = int(sizes.argmax())
            given = min(least - sizes[poor], sizes[rich] - least)
            moved = rng.permutation(np.flatnonzero(who == rich))[:given]
            who[moved] = poor
            sizes[poor] += given
            sizes[rich] -= given
    return who
