"""IFCA: k models, and each client trains the one that fits it best (NeurIPS 2020)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from horae.clustering.lockstep import Replies, SharedRounds, at_home, settled, wishes
from horae.errors import require
from horae.pure.streams import stream
from horae.types import ROOT, Ask, Cohort, CohortTree, Floats, Path, Records, Stay, Verdict, Wishes


@dataclass(frozen=True)
class Trial:
    """Where the restarts stand.

    first: the cohort that all models are made from. start: which restart is under way, rounds: how many it has had,
    loss: their sum so far. best: the models of the best finished one, at the loss best_loss.
    """

    first: Cohort
    start: int = 0
    rounds: int = 0
    loss: float = 0.0
    best: tuple[Cohort, ...] = ()
    best_loss: float = float("inf")


@dataclass(frozen=True)
class Ifca(SharedRounds):
    """In each round the participants fetch all k models, measure their training loss under each and train the best.

        j_i = argmin_j F_i(θ_j),      θ_j ← Σ_i s_ij θ̃_i / Σ_i s_ij,      s_ij = 1 where j = j_i

    The k models begin as the first model plus noise: θ_j = θ + noise · rms(θ) · N(0, I). Of `restarts` such beginnings
    that of the lowest training loss goes on: each is trained for `trial` rounds, which are rounds like all others, paid
    for in participations, bytes and time. averaging: of "models" or of "gradients", where a cohort's step is scaled by
    its share of the participants (with `training.steps = 1`).

    Source: Ghosh, Chung, Yin and Ramchandran, Algorithm 1 and 6 (the best of several random starts). Reading: restarts
    are compared by the participants' mean loss over the second half of their trial, not trained to the end; weights are
    the algorithm's; random models are made from the first one, since the server knows no layers.
    """

    k: int = 4
    restarts: int = 5
    trial: int = 5
    noise: float = 1.0
    averaging: Literal["models", "gradients"] = "models"

    def __post_init__(self) -> None:
        require(1 <= self.k <= 255, "clustering.k", "be in [1, 255]", self.k)
        require(1 <= self.restarts <= 100, "clustering.restarts", "be in [1, 100]", self.restarts)
        require(1 <= self.trial <= 10_000, "clustering.trial", "be in [1, 10000]", self.trial)
        require(0 < self.noise <= 100, "clustering.noise", "be in (0, 100]", self.noise)

    @property
    def needs_losses(self) -> bool:
        """Each participant measures its loss under all k models, which it fetches."""
        return True

    def prepare(self, tree: CohortTree, ask: Ask) -> CohortTree:
        """k leaves with random models, and the first trial."""
        first = tree[ROOT]
        tree = tree.split(ROOT, self.k, None)
        for leaf in tree.leaves():
            tree = tree.put(replace(leaf, params=self._random(first.params, 0, leaf.path)))
        return replace(tree, common=Trial(first) if self.restarts > 1 else None)

    def request(self, records: Records, offers: CohortTree, seed: int, *, explore: bool) -> Wishes:
        """The model of the lowest loss on the client's own samples; the first of equal ones."""
        leaves = offers.paths()
        if records.losses is None or records.losses.shape[1] != len(leaves):
            return wishes(leaves, at_home({}, records.clients, leaves, seed))
        losses = np.where(np.isfinite(records.losses), records.losses, np.inf)
        return wishes(leaves, losses.argmin(axis=1).astype(np.int64))

    def settle(self, tree: CohortTree, participants: int, spent: float, ask: Ask) -> tuple[CohortTree, list[Verdict]]:
        """The end of a shared round: perhaps of a trial, or of the last one."""
        tree, replies = settled(tree)
        if self.averaging == "gradients":
            tree = _by_share(tree, replies)
        if tree.common is None or not replies:
            return tree, []
        trial: Trial = replace(tree.common, rounds=tree.common.rounds + 1)
        if trial.rounds > self.trial // 2:
            losses = np.concatenate([reply.losses for reply in replies.values()])
            trial = replace(trial, loss=trial.loss + float(losses.mean()))
        if trial.rounds < self.trial:
            return replace(tree, common=trial), []
        return self._judged(tree, trial)

    def _judged(self, tree: CohortTree, trial: Trial) -> tuple[CohortTree, list[Verdict]]:
        """A trial is over: the next one begins, or the best one goes on."""
        loss, before = trial.loss / (self.trial - self.trial // 2), trial.best_loss
        better = loss < before
        if better:
            trial = replace(trial, best=tuple(tree.leaves()), best_loss=loss)
        start = trial.start + 1
        last = start == self.restarts
        reason = f"start {start} of {self.restarts}: training loss {loss:.3f}" + (", the best so far" if better else "")
        for i, leaf in enumerate(tree.leaves()):
            if last:
                heir = trial.best[i]
            else:
                heir = replace(trial.first, path=leaf.path, params=self._random(trial.first.params, start, leaf.path))
            tree = tree.put(replace(heir, round=leaf.round, selector=leaf.selector))
        common = None if last else replace(trial, start=start, rounds=0, loss=0.0)
        return replace(tree, common=common), [Stay(tree.paths()[0], loss, trial.best_loss, reason)]

    def _random(self, params: Floats, start: int, path: Path) -> Floats:
        """The model that this leaf begins with in this restart; other first models have other noise."""
        scale = np.float32(self.noise) * np.sqrt(np.mean(np.square(params), dtype=np.float64)).astype(np.float32)
        noise = stream(zlib.crc32(params.tobytes()), "ifca", start, *path).standard_normal(params.size, np.float32)
        made: Floats = params + scale * noise
        return made


def _by_share(tree: CohortTree, replies: dict[Path, Replies]) -> CohortTree:
    """Gradient averaging: θ_j ← θ_j - (γ / m) Σ_i s_ij g_i, over all m participants of the round."""
    everybody = sum(reply.clients.size for reply in replies.values())
    for path, reply in replies.items():
        share = np.float32(reply.clients.size / everybody)
        tree = tree.put(replace(tree[path], params=reply.params + share * (tree[path].params - reply.params)))
    return tree
