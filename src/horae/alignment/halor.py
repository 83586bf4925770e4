"""Halor: clients re-organise their own samples by what the population's labels are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal, Protocol

import numpy as np

from horae.alignment.common import NONE, distance, drawn, label_counts, shares, unfixable
from horae.alignment.exact import exact_counts
from horae.alignment.waterfill import waterfill_counts
from horae.alignment.weight import label_weights
from horae.alignment.windows import Window, told
from horae.errors import require
from horae.types import ROOT, Arrangement, Ask, Census, CohortTree, Count, Doubles, Ints, News, Outcome, Path

FEWEST = 10  # clients of a total, whatever is asked for
STALE = 2  # times `every`: a target so many rounds old is called stale


@dataclass(frozen=True)
class Halor:
    """Each participant trains on a view of its own samples whose labels come near to the population's, g.

        exact       q_c = min(n_c, ⌊g_c / g_m · n_m⌋),
                    m = argmax_{c: n_c ≥ 1} g_c / p_c
        waterfill   q_c = min(κ n_c, λ g_c),  λ such that Σ_c q_c = Q
        weight      all samples, w_c = min(g_c / p_c, W), scaled to mean 1

    Where samples are left out, a fresh lot is drawn every time a client is used. Whatever the mode, a label that a
    client lacks stays missing.

    cap: W. kappa: κ, how often a sample may come. rho, batch: `waterfill` keeps Q = max(batch, ⌈ρ n⌉, what `exact`
    keeps) samples, if there are as many. whose: whose g, everybody's or the cohort's. hears: "nothing" of the sizes of
    the clients' views, so that all weigh the same in the mean, or their "sizes".

    g comes from a census of label counts that nobody can read one by one (`horae.census`), in windows: one opens
    before the first round, and one `every` rounds after the last closed; it closes when `window_clients` were counted,
    or after `window_rounds`. ema: ρ in g ← (1 - ρ) g + ρ H / |H|. group: clients of one total; sticky: groups never
    change. protocol: "run" all of it among the simulated clients, or "sum" their counts at its price. noise: standard
    deviation that `fewest` clients of a total add to it together. fewest: clients of a total, at least. Until the first
    window closes samples are as they are.

    Source: upstream Halor's `custom_partition2` (`exact`); the other two are ours. Reading: a client that holds no
    label that the target has keeps its samples as they are; upstream leaves it out.
    """

    mode: Literal["exact", "waterfill", "weight"] = "weight"
    whose: Literal["global", "cohort"] = "global"
    hears: Literal["nothing", "sizes"] = "nothing"
    cap: float = 5.0
    kappa: float = 1.0
    rho: float = 0.5
    batch: int = 10
    window_clients: int = 1000
    window_rounds: int = 10
    every: int = 100
    ema: float = 0.5
    group: int = 20
    sticky: bool = True
    transport: Literal["chain", "star"] = "star"
    protocol: Literal["run", "sum"] = "run"
    noise: float = 0.0
    fewest: int = 10

    def __post_init__(self) -> None:
        require(1 <= self.cap <= 1e6, "alignment.cap", "be in [1, 1e6]", self.cap)
        require(1 <= self.kappa <= 100, "alignment.kappa", "be in [1, 100]", self.kappa)
        require(0 <= self.rho <= 1, "alignment.rho", "be in [0, 1], a share of the client's samples", self.rho)
        require(self.batch >= 1, "alignment.batch", "be >= 1", self.batch)
        require(FEWEST <= self.window_clients <= 10**6, "alignment.window_clients", f"be in [{FEWEST}, 1e6]",
                self.window_clients)  # fmt: skip
        require(self.window_rounds >= 1, "alignment.window_rounds", "be >= 1", self.window_rounds)
        require(self.every >= 1, "alignment.every", "be >= 1", self.every)
        require(0 < self.ema <= 1, "alignment.ema", "be in (0, 1]", self.ema)
        require(FEWEST <= self.group <= 10_000, "alignment.group", f"be in [{FEWEST}, 10000]", self.group)
        require(FEWEST <= self.fewest <= self.group, "alignment.fewest", f"be in [{FEWEST}, group]", self.fewest)
        least = 2 * sqrt(self.fewest)
        enough = self.noise == 0 or self.noise >= least
        require(enough, "alignment.noise", f"be 0, or >= 2 √fewest = {least:.2f}", self.noise)
        alone = self.noise == 0 or self.protocol == "run"
        require(alone, "alignment.protocol", 'be "run" beside alignment.noise', self.protocol)

    # ---------------------------------------------------------------- at the server

    @property
    def tells(self) -> bool:
        """Only where the server is to weigh clients by the sizes of their views."""
        return self.hears == "sizes"

    def begin(self, seed: int) -> dict[Path, Window]:
        """The first window opens."""
        return {ROOT: Window()}

    def target(self, state: Mapping[Path, Window], path: Path) -> Doubles | None:
        """The cohort's own, or that of the nearest ancestor which has one."""
        for depth in range(len(path), -1, -1):
            known = state.get(path[:depth])
            if known is not None and known.target is not None:
                return known.target
        return None

    def learn(
        self, state: Mapping[Path, Window], outcome: Outcome, tree: CohortTree, ask: Ask
    ) -> tuple[dict[Path, Window], tuple[News, ...]]:
        """Count some more clients where a window is open, and close it when it is full."""
        path = outcome.round.path if self.whose == "cohort" else ROOT
        before = state.get(path, Window())
        after = before.next_round(self.every)
        if after.open:
            after = after.plus(self._counted(after, path, tree, ask))
        news: tuple[News, ...] = ()
        if after.refused > (before.refused if after.number == before.number else 0):
            news = (told(path, "refused", before, after),)
        if after.due(self.window_clients, self.window_rounds):
            after = after.shut(self.ema)
            news = (*news, told(path, "closed", before, after))
        elif after.target is not None and after.seen - after.since == STALE * self.every:
            news = (*news, told(path, "stale", before, after))
        return {**state, path: after}, news

    def _counted(self, window: Window, path: Path, tree: CohortTree, ask: Ask) -> Count:
        alone = self.whose == "cohort" and path in tree.paths()
        found: Count = ask(
            Census(
                self.window_clients - window.counted, window.number, window.seen, tree if alone else None, path,
                self.group, self.sticky, self.fewest, transport=self.transport, noise=self.noise,
                whole=self.protocol == "run",
            )
        )  # fmt: skip
        return found

    # ---------------------------------------------------------------- at the client

    def arrange(self, labels: Ints, target: Doubles, rng: np.random.Generator) -> Arrangement:
        """The view of a client whose samples have these labels `(n,)`; target `(classes,)` is g."""
        counts = label_counts(labels, target)
        if not (target[counts > 0] > NONE).any():
            return Arrangement()
        if self.mode == "weight":
            return Arrangement(weights=label_weights(counts, target, self.cap)[labels])
        quota = exact_counts(counts, target)
        if self.mode == "waterfill":
            total = max(self.batch, int(np.ceil(self.rho * labels.size - 1e-9)), int(quota.sum()))
            quota = waterfill_counts(counts, target, total, self.kappa)
        return Arrangement(index=drawn(labels, quota, rng))


class Arranging(Protocol):
    """Whatever arranges samples by a target."""

    def arrange(self, labels: Ints, target: Doubles, rng: np.random.Generator) -> Arrangement:
        """The client's view."""


def explained(alignment: Arranging, labels: Ints, target: Doubles, rng: np.random.Generator) -> dict[str, Any]:
    """What an alignment makes of one client's samples, before and after, as plain data.

    distance: total variation between the client's mix of labels and the target. weight_after: of one sample of the
    label; None where the view has none.
    """
    view = alignment.arrange(labels, target, rng)
    own, after, mass = label_counts(labels, target), view.counts(labels, target.size), view.mass(labels, target.size)
    p, q = shares(own), shares(mass)
    rows = [
        {
            "label": c,
            "samples": int(own[c]),
            "share": float(p[c]),
            "target": float(target[c]),
            "samples_after": int(after[c]),
            "weight_after": float(mass[c] / after[c]) if after[c] else None,
            "share_after": float(q[c]),
        }
        for c in range(target.size)
    ]
    return {
        "samples": int(own.sum()),
        "samples_after": int(after.sum()),
        "distance_before": distance(p, target),
        "distance_after": distance(q, target),
        "unfixable": unfixable(labels, target),
        "labels": rows,
    }
