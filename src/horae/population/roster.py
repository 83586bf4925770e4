"""Populations of which each site holds its own part: what the coordinator knows of it, and what one site holds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np

from horae.errors import ConfigError, DataError, RunError, require
from horae.population.base import Population
from horae.population.rows import Rows
from horae.types import UNKNOWN, Ints, TaskName

AWAY = "clients' samples stay where they are: only they can look at them"
MOST_HERE = 1_000_000  # clients of one site


@dataclass(frozen=True)
class Card:
    """What a site tells of its clients before the first round: never a sample, nor how often a label occurs.

    train, test, groups `(clients,)`: how many samples each holds, and its planted group, UNKNOWN where nothing is
    planted. kind: dtype of x. digest: of all that it holds, so that a run goes on with the same data only.
    """

    name: str
    train: Ints
    test: Ints
    groups: Ints
    shape: tuple[int, ...]
    kind: str
    classes: int
    task: TaskName
    scale: float | None
    digest: str

    @classmethod
    def of(cls, name: str, people: Population) -> Card:
        """Of a site's own population."""
        everybody = np.arange(people.clients)
        digest = hashlib.blake2b(digest_size=16)
        for array in (people.x, people.y, *people.held):
            digest.update(np.ascontiguousarray(array).tobytes())
        return cls(
            name, people.train.sizes_of(everybody), people.test.sizes_of(everybody),
            np.array([people.groups[i] for i in everybody], np.int64), people.shape, people.x.dtype.str,
            people.classes, people.task, people.scale, digest.hexdigest(),
        )  # fmt: skip

    def only(self, row: int) -> Card:
        """Of one of its clients."""
        part = slice(row, row + 1)
        return replace(self, train=self.train[part], test=self.test[part], groups=self.groups[part])

    def check(self) -> Card:
        """The same, if a site may say so. Errors: DataError."""
        columns = (self.train, self.test, self.groups)
        arrays = all(isinstance(c, np.ndarray) and c.dtype.kind == "i" and c.ndim == 1 for c in columns)
        fine = arrays and 1 <= self.train.size <= MOST_HERE and {c.size for c in columns} == {self.train.size}
        fine = fine and int(self.train.min()) >= 1 and int(self.test.min()) >= 0 and int(self.groups.min()) >= UNKNOWN
        fine = fine and 1 <= self.classes <= 100_000 and all(1 <= side <= 2**31 for side in self.shape)
        if not fine:
            raise DataError(f"{self.name}: what it says of its clients cannot be; look at its population function")
        return self


@dataclass(frozen=True)
class Told:
    """How many samples each client holds, as they said."""

    sizes: Ints

    def row(self, i: int) -> NoReturn:
        """Refused."""
        raise RunError(AWAY)

    def rows(self, clients: Ints) -> NoReturn:
        """Refused."""
        raise RunError(AWAY)

    def sizes_of(self, clients: Ints) -> Ints:
        """As they said, `(q,)`."""
        sizes: Ints = self.sizes[clients]
        return sizes

    @property
    def most(self) -> int:
        """The most that any of them holds."""
        return int(self.sizes.max(initial=0))

    def __len__(self) -> int:
        return self.sizes.size


class Roster(Population):
    """The clients of several sites as their coordinator knows them: one blank sample, for the model's shape.

    cards: what the sites told, in order.
    """

    cards: tuple[Card, ...] = ()

    def __post_init__(self) -> None:
        """Made of checked cards."""

    @property
    def labels(self) -> Ints:
        """The values that `groups` takes, in order."""
        return np.unique(np.asarray(self.groups))

    @property
    def held(self) -> tuple[np.ndarray[Any, Any], ...]:
        """What tells who holds which samples: their own digests."""
        digests = np.frombuffer("".join(card.digest for card in self.cards).encode(), np.uint8)
        return (
            np.asarray(self.groups),
            *(rows.sizes for rows in (self.train, self.test) if isinstance(rows, Told)),
            digests,
        )

    @property
    def firsts(self) -> Ints:
        """The number of each site's first client, `(sites,)`."""
        return np.cumsum([0, *(card.train.size for card in self.cards[:-1])])

    def facts(self) -> dict[str, Any]:
        """What they said, ready for JSON."""
        everybody = np.arange(self.clients)
        sizes, groups = self.train.sizes_of(everybody), np.asarray(self.groups)
        found, members = np.unique(groups[groups != UNKNOWN], return_counts=True)
        return {
            "name": self.name,
            "clients": self.clients,
            "task": self.task,
            "classes": self.classes,
            "shape": list(self.shape),
            "train_samples": int(sizes.sum()),
            "test_samples": int(self.test.sizes_of(everybody).sum()),
            "train_samples_min": int(sizes.min()),
            "train_samples_median": float(np.median(sizes)),
            "train_samples_max": int(sizes.max()),
            "groups": {int(group): int(size) for group, size in zip(found, members, strict=True)},
            "label_skew": None,
        }


def roster(cards: Sequence[Card]) -> Roster:
    """The clients of all sites, numbered from 0 in their order. Errors: ConfigError where their samples are of two
    kinds.
    """
    require(len(cards) > 0, "site", "have a client", "none")
    first = cards[0]
    for card in cards[1:]:
        for what in ("shape", "task", "scale", "kind"):
            ours, theirs = getattr(first, what), getattr(card, what)
            if ours != theirs:
                raise ConfigError(
                    f"{card.name} has samples of {what} {theirs}, {first.name} of {ours}; make them alike"
                )
    train, test, groups = (np.concatenate([getattr(c, n) for c in cards]) for n in ("train", "test", "groups"))
    blank, labels = (
        np.zeros((1, *first.shape), first.kind),
        np.zeros(1, np.float32 if first.task == "regression" else np.int64),
    )
    found = Roster(
        "sites", blank, labels, Told(train), Told(test), groups, max(c.classes for c in cards),
        f"{len(cards)} sites with data of their own", task=first.task, scale=first.scale,
    )  # fmt: skip
    object.__setattr__(found, "cards", tuple(cards))
    return found


@dataclass(frozen=True)
class Shifted:
    """A site's rows under the numbers that its clients have in the whole federation."""

    own: Rows
    first: int
    total: int

    def row(self, i: int) -> Ints:
        """Client i's."""
        return self.own.row(self._own(np.array([i]))[0])

    def rows(self, clients: Ints) -> list[Ints]:
        """These clients'."""
        return self.own.rows(self._own(clients))

    def sizes_of(self, clients: Ints) -> Ints:
        """How many these hold, `(q,)`."""
        return self.own.sizes_of(self._own(clients))

    @property
    def most(self) -> int:
        """The most that any client of this site holds."""
        return self.own.most

    def __len__(self) -> int:
        return self.total

    def _own(self, clients: Ints) -> Ints:
        mine = np.asarray(clients) - self.first
        if mine.size and not 0 <= mine.min() <= mine.max() < len(self.own):
            raise RunError(
                f"this site holds clients {self.first} to {self.first + len(self.own) - 1}, asked was another"
            )
        return mine


@dataclass(frozen=True)
class ShiftedGroups:
    """The same for planted groups."""

    own: Any
    first: int
    total: int

    def __getitem__(self, clients: Any) -> Any:
        return self.own[np.asarray(clients) - self.first]

    def __len__(self) -> int:
        return self.total


class Part(Population):
    """One site's own clients, under the numbers that they have in the whole federation."""

    def __post_init__(self) -> None:
        """Made of a checked population."""


def part(people: Population, first: int, total: int, classes: int) -> Part:
    """A site's population as clients `first`, first + 1, ... of `total`, in a federation of so many classes."""
    require(people.drift is None, "site", "hold data that stay as they are", people.name)
    return Part(
        people.name, people.x, people.y, Shifted(people.train, first, total), Shifted(people.test, first, total),
        ShiftedGroups(people.groups, first, total), classes, people.about, people.licence, people.citation, people.task,
        people.scale,
    )  # fmt: skip


@dataclass(frozen=True)
class Sites:
    """Stands in an experiment file for data that its sites bring along (`[[site.endpoints]]`, or Flower's nodes)."""

    def missing(self, data_root: Any) -> str:
        """It is nowhere here."""
        return "held by the sites of an experiment (site.endpoints), or by Flower's nodes"

    def build(self, seed: int, data_root: Any) -> Population:
        """Refused: it is the sites' to build."""
        should = 'go with sites that have data: [[site.endpoints]], or executor = "flower"'
        raise ConfigError(f"population.name sites should {should}")
