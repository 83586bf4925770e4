"""Splits at a given time, into a given number of cohorts, whatever the statistic says."""

from __future__ import annotations

import numpy as np

from horae.clustering.memory import Memory
from horae.pure.clusters import kmeans
from horae.pure.splitting import Partition, Rule, best_partition, held_out_separation, principal
from horae.pure.streams import stream
from horae.types import Cohort, Doubles, Split, Stay, Verdict


def forced_verdict(cohort: Cohort, memory: Memory, k: int, most: int, rule: Rule) -> Verdict:
    """A split of this cohort now, with the statistic that was not asked; Stay where it cannot be carried out.

    k: children, or 0 for as many as `forced_partition` finds. most: the most children there is room for.

    Source: Auxo 7.4 (Figures 13b and 13c).
    """
    if max(k, 2) > most:
        why = f"no split: forced into {k or 2}, but {most} cohorts are the most that this one may become"
        return Stay(cohort.path, float("nan"), rule.threshold, why)
    ids, means, _, _ = memory.table()
    limit = rule.limit(ids.size)
    found = forced_partition(means, k, most, rule, stream(0, "partition", cohort.round, *cohort.path))
    if found is None:
        why = f"no split: forced into {k or 2}, but {ids.size} members do not make as many"
        return Stay(cohort.path, float("nan"), limit, why)
    sizes = " + ".join(map(str, np.bincount(found.labels)))
    reason = f"split into {found.k}: forced at round {cohort.round}, explained {found.statistic:.2f}, members {sizes}"
    return Split(cohort.path, found.statistic, limit, reason, found.k, ids, found.labels)


def forced_partition(x: Doubles, k: int, most: int, rule: Rule, rng: np.random.Generator) -> Partition | None:
    """The members in k groups, none of them empty; None where they do not make as many.

    x `(members, dims)`: each member's running mean. k = 0 is the number that the criterion finds, at most `most`; where
    it finds none, the one of the highest statistic. The statistic is NaN for fewer than four members a group.
    """
    points = principal(x)
    if k == 0:
        found = best_partition(x, rule, most, rng)
        if found.k >= 2:
            return found
        tried = range(2, min(most, len(x) // 4) + 1)
        k = max(tried, key=lambda each: held_out_separation(points, each, rng), default=2)
    if len(x) < k:
        return None
    labels, _ = kmeans(points, k, rng)
    if np.unique(labels).size < k:  # points that are equal
        return None
    return Partition(k, labels, held_out_separation(points, k, rng) if len(x) >= 4 * k else float("nan"))
