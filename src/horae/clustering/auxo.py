"""Auxo: cohorts found online, from the updates of whoever takes part (SoCC 2023)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from horae.clustering.common import even_quota, idle_leaves
from horae.clustering.doubt import counted, disbelieved
from horae.clustering.forced import forced_verdict
from horae.clustering.memory import Memory
from horae.clustering.policy import choose, remember
from horae.clustering.pull import pointed_to
from horae.errors import require
from horae.pure.affinity import instant_reward
from horae.pure.clusters import kmeans, nearest
from horae.pure.splitting import Rule, best_partition, heterogeneity_ratio
from horae.pure.streams import stream
from horae.types import (
    UNKNOWN,
    Ask,
    Bools,
    Cohort,
    CohortTree,
    Feedback,
    Floats,
    Ints,
    Outcome,
    Path,
    Records,
    Round,
    Split,
    Stay,
    Verdict,
    Wishes,
)

COVERAGE = 0.6  # of the members must have been seen twice before a cohort is looked into


@dataclass(frozen=True)
class Auxo:
    """Clients wander towards the cohort that rewards them; a cohort splits when it holds discernible groups.

    gamma: weight of a new reward (γ). epsilon: a client explores with probability ε^r in round r. k_max: most
    children of one split. max_cohorts: most leaves. partition: "explained" (held-out explained variance of running
    means, at least `threshold` + 2 / members, and `drop` less for any finer grouping) or "paper" (heterogeneity
    ratio, at most 1/√K). reward: "measured" (a client moves only on what it measured) or "paper" (Algorithm 1).
    start, stop: the share of the budget within which cohorts may split. check_every: rounds between two looks.
    min_members: fewest known members of a child. min_participants: fewest participants a child may train with. dims:
    width of the sketch of an update. pull: a participant whose update points this much (cosine) towards another
    cohort's model is told to try that one ("measured" only). metric: how labels and splits compare deviations,
    "cosine" (each of length one) or "l2" (as long as they are: for updates of a few dimensions). at: a cohort that has
    done so many rounds, its ancestors' included, is split whatever the statistic, and never else; empty is by the
    criterion. k: children of such a split, 0 for the best number. doubt_after: visits in a row with a claim above
    doubt_claim and ΔR < 0 after which a client is not believed any more; 0 is never.

    Source: Auxo Algorithm 1, 4.2-4.4. Reading: docs/decisions 0002-0007.
    """

    gamma: float = 0.2
    epsilon: float = 0.9
    k_max: int = 8
    max_cohorts: int = 8
    partition: Literal["explained", "paper"] = "explained"
    threshold: float = 0.78
    drop: float = 0.1
    reward: Literal["measured", "paper"] = "measured"
    start: float = 0.1
    stop: float = 0.8
    check_every: int = 10
    min_members: int = 10
    min_participants: int = 5
    dims: int = 1024
    pull: float = 0.25
    metric: Literal["cosine", "l2"] = "cosine"
    at: tuple[int, ...] = ()
    k: int = 0
    doubt_after: int = 0
    doubt_claim: float = 0.1

    def __post_init__(self) -> None:
        require(0 < self.gamma <= 1, "clustering.gamma", "be in (0, 1]", self.gamma)
        require(0 <= self.epsilon < 1, "clustering.epsilon", "be in [0, 1)", self.epsilon)
        require(2 <= self.k_max <= 255, "clustering.k_max", "be >= 2 and <= 255", self.k_max)
        require(1 <= self.max_cohorts <= 4096, "clustering.max_cohorts", "be >= 1 and <= 4096", self.max_cohorts)
        require(0 < self.threshold <= 1, "clustering.threshold", "be in (0, 1]", self.threshold)
        require(0 <= self.drop < 1, "clustering.drop", "be in [0, 1)", self.drop)
        require(0 < self.pull <= 1, "clustering.pull", "be in (0, 1]", self.pull)
        require(0 <= self.stop <= 1, "clustering.stop", "be in [0, 1]", self.stop)
        require(0 <= self.start <= self.stop, "clustering.start", "be in [0, clustering.stop]", self.start)
        require(self.check_every >= 1, "clustering.check_every", "be >= 1", self.check_every)
        require(self.min_members >= 2, "clustering.min_members", "be >= 2", self.min_members)
        require(self.min_participants >= 1, "clustering.min_participants", "be >= 1", self.min_participants)
        require(self.dims >= 2, "clustering.dims", "be >= 2", self.dims)
        require(min(self.at, default=1) >= 1, "clustering.at", "hold rounds from 1 on", self.at)
        require(self.k == 0 or 2 <= self.k <= 255, "clustering.k", "be 0 or in [2, 255]", self.k)
        require(0 <= self.doubt_after <= 1000, "clustering.doubt_after", "be in [0, 1000]", self.doubt_after)
        require(-1 <= self.doubt_claim < 1, "clustering.doubt_claim", "be in [-1, 1)", self.doubt_claim)
        require(self.metric in ("cosine", "l2"), "clustering.metric", "be 'cosine' or 'l2'", self.metric)

    # ---------------------------------------------------------------- at the server

    def init(self) -> Memory:
        """A cohort that knows nothing of its inside."""
        return Memory()

    def prepare(self, tree: CohortTree, ask: Ask) -> CohortTree:
        """Auxo starts with one cohort for the whole population (Algorithm 1, lines 3-6)."""
        return tree

    def ready(self, tree: CohortTree, running: frozenset[Path]) -> list[Path]:
        """Every idle leaf: cohorts are asynchronous."""
        return idle_leaves(tree, running)

    def quota(self, tree: CohortTree, n: int) -> dict[Path, int]:
        """The total is fixed and shared evenly over the leaves (4.4)."""
        return even_quota(tree, n)

    def learn(self, state: Memory, outcome: Outcome, tree: CohortTree) -> tuple[Memory, Feedback | None]:
        """Lines 13-25 for one round: cluster the participants, reward them, remember their deviation.

        Explorers are rewarded, but neither labelled nor remembered: they are not known to belong here.
        """
        if outcome.empty:
            return state, None
        sketch = outcome.updates.sketch(self.dims)
        here = ~outcome.exploring
        deviation = _directions(sketch, here, unit=self.metric == "cosine")
        labels = np.full(outcome.clients.size, UNKNOWN)
        if here.sum() >= 2:
            labels[here] = self._label(state, outcome.clients[here], deviation[here], outcome.round)
        state = state.remember(outcome.clients[here], deviation[here], labels[here])
        state = state.note_ratio(heterogeneity_ratio(sketch, labels, 2))
        known = here & (np.nan_to_num(outcome.claims) > 0)
        reward = np.full(outcome.clients.size, np.nan)
        if tree.width > 1:  # line 23
            reward = instant_reward(sketch, known, leave_one_out=self.reward == "measured")
        if self.doubt_after:
            told = (outcome.clients, outcome.claims, reward)
            state = replace(state, strikes=counted(state.strikes, *told, self.doubt_claim, self.doubt_after))
        towards = np.full(outcome.clients.size, UNKNOWN)
        if self.reward == "measured":
            towards = pointed_to(outcome, sketch, here, tree, self.pull)
        return state, Feedback(outcome.round.path, outcome.clients, reward, labels, tree.paths(), towards)

    def reshape(self, state: Memory, path: Path, tree: CohortTree, participants: int, spent: float) -> list[Verdict]:
        """PartitionCriteria (line 20): looked at every `check_every` rounds, between `start` and `stop` of the
        budget; or, with `at`, split then.
        """
        cohort = tree[path]
        most = min(self.max_cohorts, participants // self.min_participants)
        if self.at:
            if cohort.round not in self.at or not state.started:
                return []
            room = most - len(tree.paths()) + 1
            return [forced_verdict(cohort, state, self.k, room if self.k else min(self.k_max, room), self._rule)]
        if cohort.round % self.check_every or not self.start <= spent <= self.stop or not state.started:
            return []
        k_max = min(self.k_max, most - len(tree.paths()) + 1)
        if k_max < 2:
            return [self._stay(path, f"{most} cohorts are the most for {participants} participants")]
        return [self._by_ratio(state, path) if self.partition == "paper" else self._by_shape(state, cohort, k_max)]

    def searching(self, tree: CohortTree, spent: float) -> bool:
        """Until `stop` of the budget, or as many cohorts as there may be."""
        if len(tree.paths()) >= self.max_cohorts:
            return False
        return any(leaf.round < max(self.at) for leaf in tree.leaves()) if self.at else spent <= self.stop

    def _label(self, state: Memory, clients: Ints, deviation: Floats, round: Round) -> Ints:
        """Lines 14-19: K-means in the first round, then the nearest centre among this round's already labelled members.

        Where a cluster has no labelled member this round there is no centre, and labels stay as they were.
        """
        if not state.started:
            order = np.argsort(clients)  # so that the answer does not depend on who replied first
            found, _ = kmeans(deviation[order], 2, stream(0, "k-means", round.number, *round.path))
            return found[np.argsort(order)]
        labels = state.labels_of(clients)
        if np.unique(labels[labels >= 0]).size < 2:
            return labels
        return nearest(deviation, np.stack([deviation[labels == c].mean(axis=0) for c in range(2)]).astype(np.float64))

    @property
    def _rule(self) -> Rule:
        return Rule(self.threshold, self.drop, self.min_members, self.k_max)

    def _by_shape(self, state: Memory, cohort: Cohort, k_max: int) -> Verdict:
        """Held-out explained variance on the members' running means (decision 0005)."""
        ids, means, visits, _ = state.table()
        if ids.size < 2 * self.min_members:
            return self._stay(cohort.path, f"{ids.size} members < {2 * self.min_members}")
        if (visits >= 2).mean() < COVERAGE:
            return self._stay(cohort.path, f"{(visits >= 2).mean():.0%} of members seen twice < {COVERAGE:.0%}")
        rule = self._rule
        best = best_partition(means, rule, k_max, stream(0, "partition", cohort.round, *cohort.path))
        limit = rule.limit(ids.size)
        if best.k < 2:
            why = f"explained {best.statistic:.2f} < {limit:.2f}"
            if best.statistic >= limit:  # then it was the other two conditions
                why = f"explained {best.statistic:.2f}, but finer ones as much, or < {self.min_members} members in one"
            return self._stay(cohort.path, why, best.statistic, limit)
        sizes = " + ".join(map(str, np.bincount(best.labels)))
        reason = f"split into {best.k}: explained {best.statistic:.2f} >= {limit:.2f}, members {sizes}"
        return Split(cohort.path, best.statistic, limit, reason, best.k, ids, best.labels)

    def _by_ratio(self, state: Memory, path: Path) -> Verdict:
        """The paper's rule: heterogeneity falls to at most 1/√2 of the cohort's."""
        ids, _, _, labels = state.table()
        limit, known = 2**-0.5, labels >= 0
        smallest = np.bincount(labels[known], minlength=2).min()
        if smallest < self.min_members:
            return self._stay(path, f"{smallest} members < {self.min_members}", state.ratio, limit)
        if not state.ratio <= limit:
            return self._stay(path, f"heterogeneity ratio {state.ratio:.2f} > {limit:.2f}", state.ratio, limit)
        reason = f"split into 2: heterogeneity ratio {state.ratio:.2f} <= {limit:.2f}"
        return Split(path, state.ratio, limit, reason, 2, ids[known], labels[known])

    def _stay(self, path: Path, why: str, statistic: float = float("nan"), threshold: float | None = None) -> Stay:
        return Stay(path, statistic, self.threshold if threshold is None else threshold, f"no split: {why}")

    def believe(self, wishes: Wishes, tree: CohortTree, clients: Ints, seed: int) -> Wishes:
        """The requests as they are served: who is on the blacklist is placed at random (5.2)."""
        return disbelieved(wishes, tree, clients, seed, self.doubt_after) if self.doubt_after else wishes

    # ---------------------------------------------------------------- at the client

    def request(self, records: Records, offers: CohortTree, seed: int, *, explore: bool) -> Wishes:
        """CohortSelection (lines 27-33): decaying ε-greedy over the leaves the client has heard of; see
        `clustering.policy`.
        """
        return choose(self, records, offers, seed, explore=explore)

    def react(self, records: Records, feedback: Feedback) -> Records:
        """Lines 24-25: the client averages the reward of this visit, and foretells it for cohorts it never visited."""
        return remember(self, records, feedback)


def _directions(sketch: Floats, here: Bools, *, unit: bool = True) -> Floats:
    """Deviations from the mean of those who are known to be here, each of length one: cosine similarity, by Euclidean
    means. unit=False: as long as they are.
    """
    deviation = sketch - (sketch[here] if here.any() else sketch).mean(axis=0)
    if not unit:
        whole: Floats = deviation
        return whole
    lengths: Floats = np.linalg.norm(deviation, axis=1, keepdims=True)
    directions: Floats = deviation / np.maximum(lengths, np.float32(1e-30))
    return directions
