"""The measurements behind decisions 0005 and 0007: `python benchmarks/split_statistics.py [PART ...]` (three minutes).

Null: the split statistic of homogeneous clients (digits-iid), K = 2, by number of members. Planted: the same of four
groups, by K. Pull: the cosine of a participant's deviation with the way to another cohort's model, for members and for
strangers.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from horae.arms import train
from horae.clustering import Auxo, auxo
from horae.clustering.pull import pointed_to
from horae.experiment import load
from horae.pure.splitting import Partition, held_out_separation, principal
from horae.types import Split

SEEDS = range(3)
MODELS = ("logistic", "mlp")


def run(population: str, model: str, seed: int) -> Any:
    """One run of the demo's experiment with this population and model; hands back the planted groups."""
    changes = {"population.name": population, "model.name": model, "seed": seed, "baseline": "none"}
    experiment = load(None, changes)
    world = experiment.world()
    with tempfile.TemporaryDirectory() as folder:
        train(experiment, world, Path(folder))
    return world.population.groups


def members(population: str, model: str) -> Iterator[np.ndarray]:
    """The members' running means `(members, dims)` at every look of runs that never split."""
    seen: list[np.ndarray] = []

    def look(x: np.ndarray, *_: Any) -> Partition:
        seen.append(principal(x))
        return Partition(1, np.zeros(len(x), np.int64), 0.0)

    with patch.object(auxo, "best_partition", look):
        for seed in SEEDS:
            run(population, model, seed)
    yield from seen


@dataclass
class Pulls:
    """Listens to every round: the largest pull of each participant, and whether it named the right cohort."""

    groups: Any
    leaf_group: dict[Any, int] = field(default_factory=dict)
    members: list[float] = field(default_factory=list)
    strangers: list[float] = field(default_factory=list)
    right: int = 0

    def note(self, outcome: Any, sketch: np.ndarray, here: np.ndarray, tree: Any) -> None:
        """One round."""
        home, leaves = outcome.round.path, tree.paths()
        others = [leaf for leaf in leaves if leaf != home]
        if not others or any(leaf not in self.leaf_group for leaf in leaves):
            return
        ways = np.stack([tree[leaf].params - tree[home].params for leaf in others])
        middle = here if here.any() else np.ones_like(here)
        rows = outcome.updates.rows - outcome.updates.rows[middle].mean(axis=0)
        scale = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(ways, axis=1)
        cosine = rows @ ways.T / np.maximum(scale, 1e-30)
        for client, row in zip(outcome.clients.tolist(), cosine, strict=True):
            best = others[int(row.argmax())]
            if self.groups[client] == self.leaf_group[home]:
                self.members.append(float(row.max()))
            else:
                self.strangers.append(float(row.max()))
                self.right += self.leaf_group.get(best) == self.groups[client]


def pulls(population: str, model: str, seed: int) -> Pulls:
    """All pulls of one run."""
    groups = load(None, {"population.name": population, "seed": seed}).world().population.groups
    found = Pulls(groups)
    by_shape = Auxo._by_shape

    def listen(outcome: Any, sketch: Any, here: Any, tree: Any, pull: float) -> Any:
        found.note(outcome, sketch, here, tree)
        return pointed_to(outcome, sketch, here, tree, pull)

    def name(self: Auxo, state: Any, cohort: Any, k_max: int) -> Any:
        verdict = by_shape(self, state, cohort, k_max)
        if isinstance(verdict, Split):
            for k in range(verdict.k):
                mine = groups[verdict.clients[verdict.cluster == k]]
                counts = np.bincount(mine)
                if counts.max() >= 0.9 * mine.size:  # a leaf of two groups has no strangers of either
                    found.leaf_group[(*verdict.path, k)] = int(counts.argmax())
        return verdict

    with patch.object(auxo, "pointed_to", listen), patch.object(Auxo, "_by_shape", name):
        run(population, model, seed)
    return found


def quantiles(values: list[float], *shares: float) -> str:
    """A few quantiles as words."""
    return " / ".join(f"{q:.2f}" for q in np.quantile(values, shares)) if values else "-"


def null_table() -> None:
    """Homogeneous clients, by number of members."""
    print("| null, members | largest of 40, logistic | largest of 40, MLP |\n|---|---|---|")
    looks = {model: list(members("digits-iid", model)) for model in MODELS}
    for n in (20, 26, 34, 45, 70, 110):
        largest = []
        for model in MODELS:
            rng = np.random.default_rng(0)
            enough = [x for x in looks[model] if len(x) >= n]
            draws = [rng.permutation(enough[rng.integers(len(enough))])[:n] for _ in range(40)]
            largest.append(max(held_out_separation(principal(x), 2, rng) for x in draws))
        print(f"| {n} | {largest[0]:.2f} | {largest[1]:.2f} |", flush=True)


def planted_table() -> None:
    """Planted groups and label skew, by K."""
    print("\n| statistic, smallest - largest over looks | K = 2 | 3 | 4 | 5 | 6 |\n|---|---|---|---|---|---|")
    for population in ("digits-rotated", "digits-permuted", "digits-dirichlet"):
        for model in MODELS:
            rng = np.random.default_rng(0)
            scores = np.array(
                [[held_out_separation(x, k, rng) for k in range(2, 7)] for x in members(population, model)]
            )
            cells = [f"{low:.2f} - {high:.2f}" for low, high in zip(scores.min(0), scores.max(0), strict=True)]
            print(f"| {population}, {model} | {' | '.join(cells)} |", flush=True)


def pull_table() -> None:
    """Members and strangers, in runs that split."""
    print("\n| pull | member visits | 50 / 95 / 99 % | strangers' visits | 1 / 5 / 50 % | right cohort named |")
    print("|---|---|---|---|---|---|")
    for population in ("digits-rotated", "digits-permuted"):
        for model in MODELS:
            found = [pulls(population, model, seed) for seed in SEEDS]
            inside, outside = [v for p in found for v in p.members], [v for p in found for v in p.strangers]
            cells = [str(len(inside)), quantiles(inside, 0.5, 0.95, 0.99), str(len(outside))]
            cells += [quantiles(outside, 0.01, 0.05, 0.5), str(sum(p.right for p in found))]
            print(f"| {population}, {model} | {' | '.join(cells)} |", flush=True)


PARTS = {"null": null_table, "planted": planted_table, "pull": pull_table}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
