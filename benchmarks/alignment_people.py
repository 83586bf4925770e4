"""Clients and hours of the alignment benchmark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.alignment import Halor
from horae.population import Population, Ragged, datasets, shifts
from horae.population.partitions import dirichlet
from horae.population.recipes import assemble, plant, share, split
from horae.pure.streams import stream, uniforms
from horae.types import Arrangement, Ask, Bools, CohortTree, Doubles, Ints, News, Outcome, Path

CLASSES = 10
WALK = 50  # slots that `until` looks ahead


@dataclass(frozen=True)
class LabelHours:
    """Clients in `rare` are there for `share` of the time, in slots of `slot_s` seconds by lot; the others always."""

    rare: tuple[bool, ...]
    share: float = 0.15
    slot_s: float = 1800.0

    def online(self, clients: Ints, at_s: float, seed: int) -> Bools:
        """Who is there at that second, `(clients,)`."""
        slot = np.full(len(clients), int(at_s // self.slot_s))
        here: Bools = ~np.array(self.rare)[clients] | (uniforms(seed, "label hours", clients, slot) < self.share)
        return here

    def until(self, clients: Ints, at_s: float, seed: int) -> Doubles:
        """When each leaves; at_s for one that is not there."""
        end_s, left = np.full(len(clients), float(at_s)), self.online(clients, at_s, seed)
        end_s[~np.array(self.rare)[clients]] = np.inf
        for slot in range(int(at_s // self.slot_s) + 1, int(at_s // self.slot_s) + 1 + WALK):
            end_s[left] = np.maximum(end_s[left], slot * self.slot_s)
            left &= self.online(clients, slot * self.slot_s, seed)
        return end_s


@dataclass(frozen=True)
class Known:
    """Alignment by label shares that everybody was told beforehand: what a perfect census would be worth."""

    by: Halor
    shares: tuple[float, ...]

    @property
    def tells(self) -> bool:
        """As the alignment has it."""
        return self.by.tells

    def begin(self, seed: int) -> None:
        """No state."""

    def target(self, state: None, path: Path) -> Doubles:
        """The same for all."""
        return np.array(self.shares)

    def learn(self, state: None, outcome: Outcome, tree: CohortTree, ask: Ask) -> tuple[None, tuple[News, ...]]:
        """Nothing to learn."""
        return None, ()

    def arrange(self, labels: Ints, target: Doubles, rng: np.random.Generator) -> Arrangement:
        """As the alignment has it."""
        return self.by.arrange(labels, target, rng)


@dataclass(frozen=True)
class Turned:
    """Clients with label proportions from Dir(alpha) whose group sees its digits turned by 0, 90, 180 or 270 degrees.

    skew: labels 5 to 9 are so many times as frequent in odd groups, and as rare in even ones, as elsewhere.
    """

    clients: int = 200
    images_per_client: int = 75
    alpha: float = 2.0
    skew: float = 1.0

    def build(self, seed: int, data_root: object = None) -> Population:
        """Row group * 1797 + image of x is that image, turned by the group's angle."""
        data, angles = datasets.digits(), (0, 90, 180, 270)
        n_train, n_test = share(self.images_per_client, 0.2)
        fit, score = split(0.2, seed)
        groups = plant(self.clients, len(angles), (), seed)
        q = stream(seed, "population q").dirichlet(np.full(CLASSES, self.alpha), self.clients)
        high = np.arange(CLASSES) >= CLASSES // 2
        q *= np.where(high[None] == (groups % 2 == 1)[:, None], self.skew, 1.0)
        q /= q.sum(axis=1, keepdims=True)
        hands = []
        for name, pool, each in (("train", fit, n_train), ("test", score, n_test)):
            rng = stream(seed, f"population {name}")
            rows, _ = dirichlet(data.y, pool, self.clients, each, 1.0, rng, q)
            hands.append(Ragged(rows.offsets, rows.indices + data.y.size * np.repeat(groups, each)))
        x = np.concatenate([shifts.rotate(data.x, angle) for angle in angles])
        about = "digits with skewed labels; client groups see them turned"
        return assemble("digits-turned", about, *hands, groups, x, np.tile(data.y, len(angles)))


def label_table(people: Population) -> Ints:
    """How many training samples of each label every client holds, `(clients, classes)`."""
    rows = people.train.rows(np.arange(people.clients))
    return np.stack([np.bincount(people.y[own], minlength=people.classes) for own in rows])


def seldom(people: Population) -> LabelHours:
    """Hours by label: clients whose commonest label is 5 or more are there 15 % of the time."""
    return LabelHours(tuple((label_table(people).argmax(axis=1) >= CLASSES // 2).tolist()))


def truth(people: Population) -> Doubles:
    """The population's label shares."""
    total = label_table(people).sum(axis=0)
    shares: Doubles = total / total.sum()
    return shares
