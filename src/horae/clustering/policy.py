"""The client's half of Auxo: which cohort it asks for, and what it makes of the answer (Auxo 4.3, 5.1).

By column over a few clients, so that a simulator matches hundreds of thousands a second; on a device the columns have
one row.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Protocol

import numpy as np

from horae.pure.affinity import average, labelled, leaves_heard_of, predicted
from horae.pure.streams import uniforms
from horae.types import UNKNOWN, Bools, CohortTree, Doubles, Feedback, Ints, Path, Records, Wishes

BONUS = 0.1  # what a client's own child is worth before its first visit (Algorithm 1, line 22)


class Taste(Protocol):
    """The hyper-parameters that the client's half of Auxo reads."""

    @property
    def gamma(self) -> float: ...
    @property
    def epsilon(self) -> float: ...
    @property
    def reward(self) -> Literal["measured", "paper"]: ...


def choose(taste: Taste, records: Records, offers: CohortTree, seed: int, *, explore: bool) -> Wishes:
    """An affinity request from each client.

    A client without a record asks for a leaf at random. Others explore with probability ε^r, r the furthest cohort's
    round, and else ask for the leaf of highest reward. With reward "measured" that is the best of the leaves it
    visited or was assigned by a split, and a client that was never assigned and was an outlier wherever it went goes
    on looking; it explores the never-visited leaf with the best prediction. With "paper" predictions count as
    rewards, and exploring is a leaf at random.

    Reading: `random > ε^r → random` in line 29 is turned round, as 4.3 describes it (decision 0002). Draws depend on
    client and round alone, so that asking twice gets one answer.
    """
    leaves = offers.paths()
    n = records.clients.size
    first = (uniforms(seed, "first leaf", records.clients) * len(leaves)).astype(np.int64)
    if len(leaves) == 1:
        return Wishes(
            leaves, np.zeros(n, np.int64), np.zeros(n), np.zeros(n, bool), np.full(n, request_nbytes(leaves[0]))
        )
    paths, offset = (*leaves, *records.paths), len(leaves)
    mine = leaves_heard_of(records.paths, records.heard)
    assigned = labelled(records.paths, records.cluster) & mine
    visited = (records.visits > 0) & mine
    eligible = (visited | assigned) if taste.reward == "measured" else mine
    value = np.where(eligible, records.reward, -np.inf)
    best = value.argmax(axis=1) if value.size else np.zeros(n, np.int64)
    top = value.max(axis=1, initial=-np.inf)

    new = ~mine.any(axis=1)
    lost = ~new & ~eligible.any(axis=1)
    unseen = mine & ~visited & ~assigned
    restless = (top < 0) & ~assigned.any(axis=1) & unseen.any(axis=1) & (taste.reward == "measured")
    rounds = max(cohort.round for cohort in offers)
    often = taste.epsilon**rounds if taste.epsilon else 0.0
    curious = uniforms(seed, "explore?", records.clients, rounds) < often
    exploring = np.logical_and(lost | restless | curious, ~new) if explore else lost
    target = _unseen_leaf(taste, records, mine, unseen, seed, rounds) if exploring.any() else best

    choice = np.where(new, first, offset + np.where(exploring, target, best))
    claims = np.where(new | exploring, np.nan, top)
    nbytes = np.array([request_nbytes(path) for path in paths], np.int64)[choice]
    return Wishes(paths, choice, claims, np.logical_or(new, exploring), nbytes)


def remember(taste: Taste, records: Records, feedback: Feedback) -> Records:
    """The client's records after an affinity message.

    It copies its cluster index; averages this visit's reward into its own (with "measured" the first visit sets it);
    foretells rewards of cohorts never visited; and hears of new leaves, whose reward starts as their parent's, plus
    0.1 for its own.
    """
    column = {path: i for i, path in enumerate(records.paths)}
    here = column[feedback.path]
    reward, cluster, visits = records.reward.copy(), records.cluster.copy(), records.visits.copy()
    told = feedback.cluster != UNKNOWN
    cluster[told, here] = feedback.cluster[told]
    heard = _hear(records, feedback, column, reward, cluster)
    delta = feedback.reward
    averaged = average(reward[:, here], delta, taste.gamma)
    first = (visits[:, here] == 0) & ~np.isnan(delta) & (taste.reward == "measured")
    reward[:, here] = np.where(first, delta, averaged)
    visits[:, here] += feedback.visit
    _follow(feedback, column, reward, cluster, visits)
    for path, i in column.items():
        if path in feedback.leaves and i != here:
            guess = average(reward[:, i], predicted(delta, feedback.path, path), taste.gamma)
            told_so = feedback.towards == feedback.leaves.index(path)
            reward[:, i] = np.where((visits[:, i] == 0) & ~told_so, guess, reward[:, i])
    return replace(records, reward=reward, cluster=cluster, visits=visits, heard=heard)


def _follow(feedback: Feedback, column: dict[Path, int], reward: Doubles, cluster: Ints, visits: Ints) -> None:
    """A client told that its update points to a leaf it never visited takes that for its own, and expects more there
    than here. Only a visit tells that: without one, hints could raise each other without end.
    """
    here = column[feedback.path]
    for i, leaf in enumerate(feedback.leaves if feedback.visit else ()):
        rows = np.flatnonzero((feedback.towards == i) & (visits[:, column[leaf]] == 0))
        for depth in range(len(leaf)):
            cluster[rows, column[leaf[:depth]]] = leaf[depth]
        reward[rows, column[leaf]] = np.maximum(reward[rows, here], 0.0) + BONUS


def request_nbytes(path: Path) -> int:
    """Bytes of an affinity request: the path with a length byte, a float32 reward, a cluster byte."""
    return 1 + len(path) + 4 + 1


def _hear(records: Records, feedback: Feedback, column: dict[Path, int], reward: Doubles, cluster: Ints) -> Bools:
    """Mark this message's leaves (and their ancestors) as heard of; `reward` gets the first value of each new one, in
    path order.
    """
    heard = records.heard.copy()
    for path in sorted(column):
        if not any(leaf[: len(path)] == path for leaf in feedback.leaves):
            continue
        new = ~heard[:, column[path]]
        if path and path[:-1] in column:
            parent = column[path[:-1]]
            own = cluster[:, parent] == path[-1]
            reward[:, column[path]] = np.where(new, reward[:, parent] + BONUS * own, reward[:, column[path]])
        heard[:, column[path]] = True
    return heard


def _unseen_leaf(taste: Taste, records: Records, mine: Bools, unseen: Bools, seed: int, rounds: int) -> Ints:
    """Where an explorer goes, `(clients,)`: the never-visited leaf of best prediction, else a leaf at random."""
    if not mine.size:
        return np.zeros(records.clients.size, np.int64)
    dice = uniforms(seed, "which leaf?", records.clients[:, None], rounds * 4096 + np.arange(mine.shape[1])[None, :])
    anywhere: Ints = np.where(mine, dice, -1.0).argmax(axis=1)
    if taste.reward == "paper":
        return anywhere
    promising = np.where(unseen, records.reward + 1e-9 * dice, -np.inf).argmax(axis=1)
    target: Ints = np.where(unseen.any(axis=1), promising, anywhere)
    return target
