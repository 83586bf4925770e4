"""What a cohort knows of its inside: a running mean per client that took part, and nothing about the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from horae.types import UNKNOWN, Doubles, Floats, Ints

MOST = 10_000  # members that a cohort remembers, those seen last: 40 MB of sketches
WINDOW = 20  # rounds over which the paper's ratio is averaged


@dataclass(frozen=True)
class Trace:
    """One member: the sum of its normalised deviations `(dims,)`, how many there were, and its online label."""

    total: Floats
    visits: int
    label: int


@dataclass(frozen=True)
class Memory:
    """A cohort's members by client id, the last heterogeneity ratios, and who claims falsely how often.

    strikes: visits in a row, by client id, whose claim its update contradicted (see `doubt`). A value: what is
    remembered next is another Memory.
    """

    members: Mapping[int, Trace] = field(default_factory=dict)
    ratios: tuple[float, ...] = ()
    strikes: Mapping[int, int] = field(default_factory=dict)

    @property
    def started(self) -> bool:
        """True once clusters were found."""
        return bool(self.members)

    @property
    def ratio(self) -> float:
        """The heterogeneity ratio over the window, NaN before there is one."""
        return float(np.mean(self.ratios)) if self.ratios else float("nan")

    def labels_of(self, clients: Ints) -> Ints:
        """Each client's online label, UNKNOWN for those never labelled here: `(clients,)`."""
        return np.array([self.members[c].label if c in self.members else UNKNOWN for c in clients.tolist()], np.int64)

    def remember(self, clients: Ints, deviation: Floats, labels: Ints) -> Memory:
        """This round's deviations `(clients, dims)` added to the members' sums; an unknown label does not erase a
        known one. Beyond MOST members those are forgotten who were not seen for longest.
        """
        members = dict(self.members)
        for row, (client, label) in enumerate(zip(clients.tolist(), labels.tolist(), strict=True)):
            old = members.pop(client, None)  # and put in again: the order is that of their last visits
            if old is None:
                members[client] = Trace(deviation[row].copy(), 1, label)
            else:
                members[client] = Trace(old.total + deviation[row], old.visits + 1, old.label if label < 0 else label)
        for client in list(members)[: max(0, len(members) - MOST)]:
            del members[client]
        return replace(self, members=members)

    def note_ratio(self, ratio: float) -> Memory:
        """The same with one more ratio in the window (NaN is not noted)."""
        return self if np.isnan(ratio) else replace(self, ratios=(*self.ratios, ratio)[-WINDOW:])

    def table(self) -> tuple[Ints, Doubles, Ints, Ints]:
        """All members in id order: ids `(m,)`, mean deviations `(m, dims)`, visits `(m,)`, labels `(m,)`."""
        ids = np.array(sorted(self.members), np.int64)
        traces = [self.members[c] for c in ids.tolist()]
        visits = np.array([t.visits for t in traces], np.int64)
        means = np.stack([t.total for t in traces]).astype(np.float64) / visits[:, None]
        return ids, means, visits, np.array([t.label for t in traces], np.int64)
