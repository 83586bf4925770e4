"""Whose round is next, with whom, and what it teaches: the cohorts of Flower strategies, without Flower."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np

from horae.cohorts.lesson import outcome_of, served
from horae.errors import require
from horae.federate import news
from horae.flower.roll import Roll
from horae.flower.sketches import Sketched
from horae.pure.streams import stream
from horae.selectors import Uniform
from horae.types import (
    ROOT,
    Clustering,
    Cohort,
    CohortTree,
    Doubles,
    Floats,
    Ints,
    Path,
    Sceptic,
    Split,
    State,
    Verdict,
)


@dataclass(frozen=True)
class Invitation:
    """A cohort's round: clients `(n,)` by id, what each claims and whether it came by chance, and the quorum."""

    path: Path
    clients: Ints
    claims: Mapping[int, tuple[float, bool]]
    quorum: int


@dataclass(frozen=True)
class Heard:
    """What a round brought. clients `(q,)` by id, their updates as sketches `(q, dims)` and lengths `(q,)`."""

    clients: Ints
    sketches: Floats
    lengths: Doubles


class Coordinator:
    """The tree of cohorts, and the roll of clients. Every verb is called from one thread.

    rounds: that each cohort trains, its ancestors' included. participants: per round, all cohorts together; 0 is
    everybody who is there.
    """

    def __init__(self, clustering: Clustering, params: Floats, rounds: int, participants: int, seed: int) -> None:
        require(params.size > 0, "initial_arrays", "hold floating-point arrays", {}, "clusters are found in these")
        self._clustering, self._rounds, self._participants, self._seed = clustering, rounds, participants, seed
        root = Cohort(ROOT, params, np.zeros(0, np.float32), clustering=clustering.init())
        self.tree = clustering.prepare(CohortTree({ROOT: root}), _no_engine)
        self.roll = Roll(clustering)
        self._there = 0

    @property
    def unfinished(self) -> list[Path]:
        """The leaves that have rounds left."""
        return [leaf.path for leaf in self.tree.leaves() if leaf.round < self._rounds]

    @property
    def spent(self) -> float:
        """The share of the budget that is used: of the rounds of the leaves there are."""
        leaves = self.tree.leaves()
        return sum(leaf.round for leaf in leaves) / (self._rounds * len(leaves))

    def match(
        self, idle: Ints, ready: Iterable[Path], there: int, fewest: int, overcommit: float
    ) -> dict[Path, Invitation]:
        """A round for each ready cohort to which at least `fewest` of the idle clients belong by their requests.

        there: how many clients are there at all. A client is served by one leaf, so no two cohorts share one.
        """
        clients, self._there = np.sort(idle), there
        records, tree = self.roll.records(clients), self.tree
        wishes = self._clustering.request(records, tree, self._seed, explore=True)
        if isinstance(self._clustering, Sceptic):
            wishes = self._clustering.believe(wishes, tree, clients, self._seed)
        wishes = served(wishes, records, tree, self._seed)
        quota = self._clustering.quota(tree, self._participants)
        found = {}
        for path in ready:
            here = np.flatnonzero(wishes.choice == tree.paths().index(path))
            quorum = max(fewest, quota[path]) if self._participants else here.size
            rng = stream(self._seed, "select", tree[path].round, *path)
            rows = Uniform().pick(None, here, ceil(overcommit * quorum), 0.0, rng)
            if rows.size >= fewest:
                said = zip(wishes.claims[rows].tolist(), wishes.exploring[rows].tolist(), strict=True)
                claims = dict(zip(clients[rows].tolist(), said, strict=True))
                found[path] = Invitation(path, clients[rows], claims, min(quorum, rows.size))
        return found

    def hear(self, client: int, request: object) -> None:
        """A request came with a reply. Errors: RunError if it cannot be read."""
        self.roll.hear(client, request, self.tree.cohorts.keys() | self.tree.children.keys())

    def learn(self, invitation: Invitation, heard: Heard, params: Floats, inside: Any) -> list[Verdict]:
        """A cohort's round is over: tell its clients how well they fit, and split the cohort if it should.

        params: its new model; inside: what else of it a checkpoint keeps.
        """
        path, size = invitation.path, params.size
        cohort = self.tree[path]
        outcome = outcome_of(cohort, heard.clients, heard.sketches, dict(invitation.claims))
        outcome = replace(outcome, updates=Sketched(heard.sketches, heard.lengths, size))
        memory, feedback = self._clustering.learn(cohort.clustering, outcome, self.tree)
        cohort = replace(cohort, params=params, round=cohort.round + 1, algorithm=inside, clustering=memory)
        self.tree = self.tree.put(cohort)
        if feedback is not None:
            self.roll.tell(feedback)
        everybody = self._participants or self._there
        verdicts = self._clustering.reshape(memory, path, self.tree, everybody, self.spent)
        for verdict in verdicts:
            if isinstance(verdict, Split):
                self.tree = self.tree.split(verdict.path, verdict.k, self._clustering.init())
                self.roll.tell(news(verdict, self.tree))
        return verdicts

    def homes(self, clients: Ints) -> list[Path]:
        """The leaf that each client belongs to as far as is known, had it no wish to explore."""
        records, tree = self.roll.records(clients), self.tree
        wishes = self._clustering.request(records, tree, self._seed, explore=False)
        return [tree.paths()[i] for i in served(wishes, records, tree, self._seed).choice.tolist()]

    def snapshot(self) -> State:
        """All but the tree, which a checkpoint keeps cohort by cohort."""
        return {"roll": self.roll.snapshot(), "there": self._there}

    def restore(self, state: State) -> None:
        """Back to a snapshot, the tree aside."""
        self.roll.restore(state["roll"])
        self._there = state["there"]


def _no_engine(work: Any, *, charge: bool = True) -> Any:
    require(False, "clustering", "ask clients for nothing before the first round", work, "use auxo or single")
