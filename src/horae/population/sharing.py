"""From a pool of samples to clients: who holds what, what is kept for testing, who sees it how."""

from __future__ import annotations

import numpy as np

from horae.errors import require
from horae.population.base import Population
from horae.population.partitioners.common import quotas
from horae.population.pool import Partition, Pool, Shift
from horae.population.rows import Ragged, demand
from horae.population.shifting.applied import applied, planted
from horae.pure.streams import stream
from horae.types import UNKNOWN, Ints

SORTS = 10  # a regression's values are shared out by tenths, as if these were labels


def share_out(
    pool: Pool,
    partition: Partition,
    shifts: tuple[Shift, ...] = (),
    *,
    name: str,
    clients: int = 0,
    test_fraction: float = 0.2,
    seed: int = 0,
    samples_per_client: int = 0,
) -> Population:
    """Clients that share the pool's samples. Samples stay in the pool's own array unless a shift changes them.

    clients: how many; 0 leaves it to the partition. test_fraction: each client keeps round(test_fraction n) of its n
    samples for testing and at least one for training, where the pool's publisher did not set test samples aside;
    those go to the client that holds their owner's other samples, else to clients in proportion to what they hold of
    that label. samples_per_client: at most so many of each client's, drawn by seed; 0: all. Every client belongs to one
    group of the product of the shifts' groups, near equal in size. Errors: ConfigError, DataError.
    """
    require(clients >= 0, "population.clients", "be >= 0", clients, "0 is as many as the data have")
    require(0 <= test_fraction < 1, "population.test_fraction", "be in [0, 1)", test_fraction)
    require(samples_per_client >= 0, "population.samples_per_client", "be >= 0", samples_per_client, "0 is all")
    demand(len(pool.x) == len(pool.y) > 0, "y", f"have {len(pool.x)} labels, one per sample", len(pool.y))
    train, test = _held(pool, partition, clients, test_fraction, seed)
    train, test = _capped(train, test, samples_per_client, seed)
    known, sides = _known(pool, train), planted(shifts, len(train), seed)
    x, y, train, test, drift = applied(pool, shifts, sides, train, test, seed)
    groups = sides if any(shift.groups > 1 for shift in shifts) else known
    about = (pool.about, pool.licence, pool.citation)
    return Population(name, x, y, train, test, groups, pool.classes, *about, pool.task, pool.scale, drift)


def sorts(pool: Pool) -> Ints:
    """The label by which each sample is shared out: tenths of a regression's values, the last token of many."""
    y = pool.y
    if pool.task == "regression":
        edges = np.unique(np.quantile(y, np.linspace(0, 1, SORTS + 1)[1:-1]))
        tenths: Ints = np.searchsorted(edges, y, "right").astype(np.int64)
        return tenths
    last: Ints = np.maximum(y if y.ndim == 1 else y[:, -1], 0).astype(np.int64)
    return last


def _held(pool: Pool, partition: Partition, clients: int, test_fraction: float, seed: int) -> tuple[Ragged, Ragged]:
    """Who trains on what, who is tested on what, by positions in the pool."""
    labels, rng = sorts(pool), stream(seed, "population partition")
    if pool.tested is None:
        rows = _checked(partition.share(labels, pool.owners, clients, rng))
        return split(rows, test_fraction, seed)
    demand(not pool.tested.all(), "samples", "leave some to train on", "test samples alone")
    fit, score = np.flatnonzero(~pool.tested), np.flatnonzero(pool.tested)
    shared = _checked(partition.share(labels[fit], None if pool.owners is None else pool.owners[fit], clients, rng))
    train = Ragged(shared.offsets, fit[shared.indices])
    client_of = None if pool.owners is None else _client_of(pool.owners, train)
    if client_of is not None and pool.owners is not None:
        return train, _by_client(score, client_of[pool.owners[score]], len(train))
    return train, _alike(labels, train, score, stream(seed, "population test"))


def split(rows: Ragged, test_fraction: float, seed: int) -> tuple[Ragged, Ragged]:
    """Each client's rows, shuffled by a stream of its own and cut in two, each part in order."""
    fit, score = [], []
    for i in range(len(rows)):
        mixed = stream(seed, "population split", i).permutation(rows.row(i))
        cut = min(round(mixed.size * test_fraction), mixed.size - 1)
        score.append(np.sort(mixed[:cut]))
        fit.append(np.sort(mixed[cut:]))
    return Ragged.of(fit), Ragged.of(score)


def _checked(rows: Ragged) -> Ragged:
    """The same rows. Errors: ConfigError where a partition breaks its promise."""
    field, whose = "population.partition", "its `share` is at fault"
    require(len(rows) > 0 and bool((rows.sizes > 0).all()), field, "leave nobody empty", rows.sizes.tolist(), whose)
    require(np.unique(rows.indices).size == rows.indices.size, field, "share no sample twice", "some twice", whose)
    return rows


def _client_of(owners: Ints, train: Ragged) -> Ints | None:
    """The client with each owner's samples, `(owners,)`, UNKNOWN for nobody; None where owners are spread."""
    who = train.owners
    client_of = np.full(int(owners.max()) + 1, UNKNOWN)
    client_of[owners[train.indices]] = who
    return client_of if bool((client_of[owners[train.indices]] == who).all()) else None


def _by_client(rows: Ints, who: Ints, clients: int) -> Ragged:
    """Rows by the client `who (rows,)` that gets them; UNKNOWN is nobody."""
    rows, who = rows[who != UNKNOWN], who[who != UNKNOWN]
    sizes = np.bincount(who, minlength=clients)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Ragged(offsets, rows[np.argsort(who, kind="stable")].astype(np.int64))


def _alike(labels: Ints, train: Ragged, score: Ints, rng: np.random.Generator) -> Ragged:
    """Test samples of each label to clients in proportion to what they train on of it; of a label that nobody trains
    on, in proportion to how much they train on at all.
    """
    who, held = np.empty(score.size, np.int64), labels[train.indices]
    for label in np.unique(labels[score]):
        mine = np.flatnonzero(labels[score] == label)
        shares = np.bincount(train.owners[held == label], minlength=len(train)).astype(float)
        counts = quotas(shares if shares.any() else train.sizes.astype(float), mine.size, rng)
        who[rng.permutation(mine)] = np.repeat(np.arange(len(train)), counts)
    return _by_client(score, who, len(train))


def _capped(train: Ragged, test: Ragged, most: int, seed: int) -> tuple[Ragged, Ragged]:
    """At most so many samples of each client, in the ratio there is, one at least for training."""
    if most == 0 or int((train.sizes + test.sizes).max()) <= most:
        return train, test
    fit, score = [], []
    for i in range(len(train)):
        own, asked, rng = train.row(i), test.row(i), stream(seed, "population cap", i)
        n = own.size + asked.size
        n_test = asked.size if n <= most else min(round(asked.size * most / n), most - 1)
        fit.append(np.sort(rng.permutation(own)[: min(own.size, most - n_test)]))
        score.append(np.sort(rng.permutation(asked)[:n_test]))
    return Ragged.of(fit), Ragged.of(score)


def _known(pool: Pool, train: Ragged) -> Ints:
    """The group of the owners whose samples a client holds, where there is one."""
    groups = np.full(len(train), UNKNOWN)
    if pool.groups is None or pool.owners is None or _client_of(pool.owners, train) is None:
        return groups
    held = pool.groups[pool.owners[train.indices]]
    first = held[train.offsets[:-1]]
    mixed = np.bincount(train.owners, weights=held != first[train.owners], minlength=len(train)) > 0
    return np.where(mixed, UNKNOWN, first).astype(np.int64)
