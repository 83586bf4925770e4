"""Hours that depend on labels: whoever holds mostly certain ones is seldom there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from horae.errors import require
from horae.population.base import Population
from horae.population.roster import Part, Roster
from horae.pure.streams import uniforms
from horae.types import Bools, Doubles, Ints

AGES_S = 1e10
_WALK = 50  # slots that `until` looks ahead at most
_AT_ONCE = 10_000  # clients whose labels are counted together


@dataclass(frozen=True)
class LabelHours:
    """Clients whose commonest training label is one of `labels` are there for `share` of the time, the others always.

    Client i, if it is one of the seldom, is online in slot k of `slot_s` seconds iff uniform(i, k) < share. So a model
    hears less of these labels than there is of them. Of equally common labels the lowest counts; labels that drift do
    not move hours. Who is seldom there is known once the clients are; where their samples are elsewhere, everybody is
    there.

    Source: ours; scenarios C and D of docs/alignment.md.
    """

    labels: tuple[int, ...] = (5, 6, 7, 8, 9)
    share: float = 0.15
    slot_s: float = 1800.0
    seldom: Bools | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        low, remedy = min(self.labels, default=-1), "number labels from 0"
        require(low >= 0, "availability.labels", "name labels, 0 or more each", list(self.labels), remedy)
        require(0 <= self.share <= 1, "availability.share", "be in [0, 1], a share of the time", self.share)
        require(1 <= self.slot_s <= AGES_S, "availability.slot_s", "be >= 1 and <= 1e10", self.slot_s)

    def among(self, people: Population) -> LabelHours:
        """The same for these clients. Errors: ConfigError where they have no such labels."""
        if isinstance(people, Part | Roster):
            return self
        should, remedy = f"be other than by-label for {people.task}", "each sample needs a label"
        require(people.task == "classification", "availability", should, "by-label", remedy)
        should = f"be < {people.classes}, the labels there are"
        require(max(self.labels) < people.classes, "availability.labels", should, list(self.labels))
        return self.told(np.isin(commonest(people), self.labels))

    def told(self, seldom: Bools) -> LabelHours:
        """The same with who is seldom there, `(clients,)`."""
        copy = LabelHours(self.labels, self.share, self.slot_s)
        object.__setattr__(copy, "seldom", seldom)
        return copy

    def online(self, clients: Ints, at_s: float, seed: int) -> Bools:
        """Who is there at that second, `(clients,)`."""
        slot = np.full(len(clients), int(at_s // self.slot_s))
        here: Bools = ~self._rare(clients) | (uniforms(seed, "label hours", clients, slot) < self.share)
        return here

    def until(self, clients: Ints, at_s: float, seed: int) -> Doubles:
        """When each leaves, `(clients,)`: inf for those who are always there, at_s for one that is not there now.

        It looks 50 slots ahead; whoever stays longer is said to leave then.
        """
        end_s, left = np.full(len(clients), float(at_s)), self.online(clients, at_s, seed)
        end_s[~self._rare(clients)] = np.inf
        first = int(at_s // self.slot_s) + 1
        for slot in range(first, first + _WALK):
            end_s[left] = np.maximum(end_s[left], slot * self.slot_s)
            left &= self.online(clients, slot * self.slot_s, seed)
        return end_s

    def _rare(self, clients: Ints) -> Bools:
        return np.zeros(len(clients), bool) if self.seldom is None else self.seldom[np.asarray(clients, np.int64)]


def commonest(people: Population) -> Ints:
    """The label that each client has most training samples of, `(clients,)`."""
    found = []
    for first in range(0, people.clients, _AT_ONCE):
        some = np.arange(first, min(first + _AT_ONCE, people.clients))
        rows = people.train.rows(some)
        owner = np.repeat(np.arange(some.size), [len(own) for own in rows])
        cells = owner * people.classes + people.y[np.concatenate(rows)]
        found.append(np.bincount(cells, minlength=some.size * people.classes).reshape(some.size, -1).argmax(axis=1))
    return np.concatenate(found)
