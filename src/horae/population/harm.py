"""What some clients do to their data, their memory and their claims: the `[harm]` table."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from horae.errors import require
from horae.population.base import Population
from horae.population.rows import Ragged
from horae.pure.streams import stream, uniforms
from horae.types import Bools, Ints, Path, Wishes

CLAIM = 1.0  # what a false claim claims: no reward is higher
BLOCK = 65_536  # clients counted together


@dataclass(frozen=True)
class Harm:
    """Shares of clients that do harm or come to harm; seed and client id decide who, and the three are independent.

    poisoned: train on labels that are renamed by a permutation of their own; they are tested on the true ones.
    lost_affinity: have lost their record of the cohorts whenever they ask for one. false_claims: ask for a leaf that is
    not theirs, always the same one, and claim a reward of 1 there. Honest is who is not poisoned and claims truly.

    Source: Auxo 5.2, 7.5 and Figure 14. Reading: a label is flipped by one permutation per client, not the identity.
    """

    poisoned: float = 0.0
    lost_affinity: float = 0.0
    false_claims: float = 0.0

    def __post_init__(self) -> None:
        for field in ("poisoned", "lost_affinity", "false_claims"):
            value = getattr(self, field)
            require(0 <= value < 1, f"harm.{field}", "be in [0, 1)", value, "it is a share of the clients")

    @property
    def on(self) -> bool:
        """True where anybody may be harmed."""
        return max(self.poisoned, self.lost_affinity, self.false_claims) > 0

    def poisons(self, clients: Ints, seed: int) -> Bools:
        """Whose labels are renamed, `(clients,)`."""
        return uniforms(seed, "poisoned?", clients) < self.poisoned

    def forgets(self, clients: Ints, seed: int) -> Bools:
        """Who lost its record, `(clients,)`."""
        return uniforms(seed, "lost affinity?", clients) < self.lost_affinity

    def lies(self, clients: Ints, seed: int) -> Bools:
        """Who claims falsely, `(clients,)`."""
        return uniforms(seed, "false claim?", clients) < self.false_claims

    def honest(self, clients: Ints, seed: int) -> Bools:
        """Whose accuracy counts, `(clients,)`."""
        return ~self.poisons(clients, seed) & ~self.lies(clients, seed)

    def counts(self, total: int, seed: int) -> dict[str, int]:
        """How many clients of `total` each kind of harm has, and how many are honest; a block at a time."""
        table = dict.fromkeys(("poisoned", "lost_affinity", "false_claims", "honest"), 0)
        for first in range(0, total, BLOCK):
            some = np.arange(first, min(first + BLOCK, total))
            for name, ask in zip(table, (self.poisons, self.forgets, self.lies, self.honest), strict=True):
                table[name] += int(ask(some, seed).sum())
        return table


def poison(people: Population, harm: Harm, seed: int) -> Population:
    """The same clients, the poisoned ones with copies of their training samples under renamed labels.

    The copies are appended to x and y, so that whoever else holds these samples, and every test, keeps the true label.
    Errors: ConfigError where samples are worked out on demand, or there is one label only.
    """
    if harm.poisoned == 0:
        return people
    train, remedy = people.train, "set it to 0, or use a population that is held in memory"
    should = "be 0 for clients whose samples are worked out on demand"
    require(isinstance(train, Ragged), "harm.poisoned", should, harm.poisoned, remedy)
    assert isinstance(train, Ragged)  # for the type checker
    task, sorts = people.task, "be 0 where samples have no labels to rename"
    require(task == "classification", "harm.poisoned", sorts, task, "set it to 0")
    require(people.classes >= 2, "harm.poisoned", "be 0 where there is only one label to rename", harm.poisoned)
    clients = np.flatnonzero(harm.poisons(np.arange(people.clients), seed)).tolist()
    if not clients:
        return people
    indices, end = train.indices.copy(), len(people.y)
    rows, labels = [], []
    for client in clients:
        own = train.row(client)
        rows.append(own)
        labels.append(renamed(people.y[own], people.classes, seed, client))
        start = train.offsets[client]
        indices[start : start + own.size] = np.arange(end, end + own.size)
        end += own.size
    x = np.concatenate([people.x, people.x[np.concatenate(rows)]])
    y = np.concatenate([people.y, *labels])
    return replace(people, x=x, y=y, train=Ragged(train.offsets, indices))


def renamed(y: Ints, classes: int, seed: int, client: int) -> Ints:
    """Labels `(n,)` under a permutation of `classes` names that is the client's own, and not the identity."""
    rng, names = stream(seed, "poison", client), np.arange(classes)
    while (names == np.arange(classes)).all():
        names = rng.permutation(classes)
    return names[y].astype(np.int64)


def false_claims(wishes: Wishes, leaves: tuple[Path, ...], own: Ints, liars: Bools, clients: Ints, seed: int) -> Wishes:
    """The same requests, those of the liars for a leaf that is not theirs, with a claim of 1.

    own `(clients,)`: the leaf that would serve each client had it told the truth, as an index into `leaves`. Each liar
    has an order of all paths for life, and asks for the first that is a leaf and not its own. Nobody can lie where
    there is one leaf.
    """
    if len(leaves) < 2 or not liars.any():
        return wishes
    ranks = np.stack([uniforms(seed, f"false claim {leaf}", clients) for leaf in leaves], axis=1)
    ranks[np.arange(clients.size), own] = -1.0
    return replace(
        wishes,
        paths=(*leaves, *wishes.paths),
        choice=np.where(liars, ranks.argmax(axis=1), len(leaves) + wishes.choice),
        claims=np.where(liars, CLAIM, wishes.claims),
        exploring=wishes.exploring & ~liars,
    )
