"""What a round is made of, and what it taught, where no engine tells it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from horae.pure.streams import uniforms
from horae.types import (
    Cohort,
    CohortTree,
    Feedback,
    Floats,
    Ints,
    Outcome,
    Path,
    Records,
    Ref,
    Round,
    Split,
    Updates,
    Verdict,
    Wishes,
)


@dataclass(frozen=True)
class Lesson:
    """What one round taught.

    path, round: which cohort, and how many rounds it has behind it. messages: the affinity message to the participants
    and, after a split, the news for all members that are known. verdicts: what the cohort decided about its shape.
    """

    path: Path
    round: int
    messages: tuple[Feedback, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    @property
    def rewards(self) -> dict[int, float]:
        """ΔR of this visit by client; nobody is rewarded before the first split."""
        pairs = [(c, r) for m in self.messages for c, r in zip(m.clients.tolist(), m.reward.tolist(), strict=True)]
        return {client: reward for client, reward in pairs if not np.isnan(reward)}

    @property
    def split(self) -> Split | None:
        """The split that was carried out, if there was one."""
        return next((verdict for verdict in self.verdicts if isinstance(verdict, Split)), None)


def outcome_of(cohort: Cohort, clients: Ints, rows: Floats, matched: dict[int, tuple[float, bool]]) -> Outcome:
    """The round as an engine would tell it: nobody counts samples, losses or seconds here."""
    n, asked = clients.size, [matched[client] for client in clients.tolist()]
    claims, exploring = np.array([claim for claim, _ in asked]), np.array([chance for _, chance in asked], bool)
    round = Round(cohort.path, cohort.round, Ref("", 0), clients, n, float("inf"), claims, exploring)
    ones, zeros = np.ones(n, np.int64), np.zeros(n)
    return Outcome(round, 0.0, 0.0, clients, Updates(rows), cohort.buffers, ones, zeros, zeros, claims, exploring)


def served(wishes: Wishes, records: Records, tree: CohortTree, seed: int) -> Wishes:
    """The wishes with the leaf that serves each as its choice; a stale one follows the client's cluster indices."""
    leaves = tree.paths()
    index = {leaf: i for i, leaf in enumerate(leaves)}
    choice = np.array([index.get(path, -1) for path in wishes.paths], np.int64)[wishes.choice]
    for row in np.flatnonzero(choice < 0).tolist():
        cluster = dict(zip(records.paths, records.cluster[row].tolist(), strict=True))
        u = float(uniforms(seed, "resolve", records.clients[row])[0])
        choice[row] = index[tree.resolve(wishes.paths[wishes.choice[row]], cluster, u)]
    return replace(wishes, paths=leaves, choice=choice)
