"""Ways to share a pool of samples out among clients: pure functions from a pool and a generator to rows per client."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from horae.errors import require
from horae.population.rows import Ragged
from horae.types import Doubles, Ints


def deal(pool: Ints, clients: int, each: int, rng: np.random.Generator) -> Ragged:
    """`each` distinct samples to every client, and nobody's twice before the pool is spent.

    One shuffle of the pool serves ⌊|pool| / each⌋ clients; the next ones get theirs from another shuffle. Raises
    ConfigError if one client asks for more than there is.
    """
    _fits(each, pool)
    if each == 0 or clients == 0:
        return Ragged.of([[]] * clients)
    served = pool.size // each
    passes = -(-clients // served)
    hands = np.concatenate([rng.permutation(pool)[: served * each] for _ in range(passes)])
    return Ragged(np.arange(clients + 1) * each, hands[: clients * each].astype(np.int64))


def deal_groups(pools: Sequence[Ints], groups: Ints, each: int, rng: np.random.Generator) -> Ragged:
    """Every client gets `each` distinct samples of its own group's pool: `deal`, group by group."""
    hands = np.empty((groups.size, each), np.int64)
    for group, pool in enumerate(pools):
        members = np.flatnonzero(groups == group)
        hands[members] = deal(pool, members.size, each, rng).indices.reshape(members.size, each)
    return Ragged(np.arange(groups.size + 1) * each, hands.reshape(-1))


def iid(pool: Ints, clients: int, rng: np.random.Generator) -> Ragged:
    """The whole pool, shuffled and cut into parts whose sizes differ by one at most; no sample is held twice."""
    require(1 <= clients <= pool.size, "population.clients", f"be in [1, {pool.size}], the samples there are", clients)
    return Ragged.of(np.array_split(rng.permutation(pool), clients))


def dirichlet(
    labels: Ints,
    pool: Ints,
    clients: int,
    each: int,
    alpha: float,
    rng: np.random.Generator,
    proportions: Doubles | None = None,
) -> tuple[Ragged, Doubles]:
    """`each` samples to every client, with label proportions q_i ~ Dir(α p) of its own; p are the pool's.

    labels `(images,)` are those of all images, pool holds indices into them. Counts are multinomial in q_i. Each class
    is a deck: a shuffle of its samples which is shuffled anew when spent. A client's samples are distinct unless it
    wants more of a class than there are. Give `proportions (clients, classes)` to draw a second time, as for a test
    set, from the same q; what falls on a class that this pool lacks goes to the others. Returns the rows and q. Ends
    for every α in (0, ∞).

    Source: Hsu, Qi, Brown (2019), §3.1.
    """
    require(0 < alpha < np.inf, "population.alpha", "be in (0, inf)", alpha)
    require(each == 0 or pool.size > 0, "population", "have samples to deal", 0)
    classes = int(labels.max()) + 1 if proportions is None else proportions.shape[1]
    members = [pool[labels[pool] == c] for c in range(classes)]
    prior = np.array([m.size for m in members]) / max(pool.size, 1)
    q = dirichlet_rows(_scaled(prior, alpha), clients, rng) if proportions is None else proportions
    counts = rng.multinomial(each, _held(q, prior)) if each else np.zeros((clients, classes), np.int64)
    decks = [np.empty(0, np.int64) for _ in members]
    hands: list[Ints] = []
    for row in counts:
        drawn = []
        for c in np.flatnonzero(row):
            hand, decks[c] = _draw(decks[c], members[c], int(row[c]), rng)
            drawn.append(hand)
        hands.append(np.concatenate([np.empty(0, np.int64), *drawn]))
    return Ragged.of(hands), q


def dirichlet_rows(concentrations: Doubles, rows: int, rng: np.random.Generator) -> Doubles:
    """Rows ~ Dir(concentrations), `(rows, classes)`, worked out in logarithms.

        log Gamma(a) = log Gamma(a + 1) + log(U) / a

    numpy's own sampler divides zero by zero where all gammas underflow; here each row sums to one. A concentration of
    zero gives zero.
    """
    a = np.where(concentrations > 0, concentrations, 1.0)
    size = (rows, a.size)
    logs = np.log(rng.standard_gamma(np.broadcast_to(a + 1, size))) + np.log1p(-rng.random(size)) / a
    logs[:, concentrations <= 0] = -np.inf
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    q: Doubles = weights / weights.sum(axis=1, keepdims=True)
    return q


def shards(labels: Ints, pool: Ints, clients: int, shards_each: int, rng: np.random.Generator) -> Ragged:
    """The pool sorted by label, cut into clients x shards_each near-equal shards, `shards_each` dealt to each.

    No sample is held twice. Source: McMahan et al. (AISTATS 2017), §3.
    """
    total = clients * shards_each
    require(
        1 <= total <= pool.size, "population.clients", f"make 1 to {pool.size} shards, the samples there are", total
    )
    mixed = rng.permutation(pool)
    pieces = np.array_split(mixed[np.argsort(labels[mixed], kind="stable")], total)
    hands = rng.permutation(total).reshape(clients, shards_each)
    return Ragged.of(np.concatenate([pieces[piece] for piece in hand]) for hand in hands)


def natural(owners: Ints) -> Ragged:
    """One client per owner: client i holds the samples of the i-th smallest value of `owners (images,)`."""
    _, sizes = np.unique(owners, return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Ragged(offsets, np.argsort(owners, kind="stable").astype(np.int64))


def _draw(deck: Ints, items: Ints, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """`count` items off the deck and the deck left over. What a refill brings twice goes to its bottom."""
    while deck.size < count:
        fresh = rng.permutation(items)
        twice = np.isin(fresh, deck)
        deck = np.concatenate([deck, fresh[~twice], fresh[twice]])
    return deck[:count], deck[count:]


def _scaled(prior: Doubles, alpha: float) -> Doubles:
    """alpha * prior, but never rounded to zero, nor so small or large that its logarithms overflow."""
    return np.where(prior > 0, np.clip(alpha * prior, 1e-300, 1e300), 0.0)


def _held(q: Doubles, prior: Doubles) -> Doubles:
    """q on the classes that the pool has, summing to one; the pool's own frequencies where nothing is left of q."""
    held = np.where(prior > 0, q, 0.0)
    held[held.sum(axis=1) <= 0] = prior
    scaled: Doubles = held / held.sum(axis=1, keepdims=True)
    return scaled


def _fits(each: int, pool: Ints) -> None:
    should = f"leave each client at most {pool.size} samples, the pool of its group"
    remedy = "lower it" if pool.size else "lower it or population.test_fraction"
    require(each <= pool.size, "population.images_per_client", should, each, remedy)
