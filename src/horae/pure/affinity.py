"""Affinity: how well a client fits its cohort, and which cohort it asks for next (Auxo 4.3, 5.1).

Everything here is by column over a few clients, and runs where the client is: the server keeps none of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from horae.pure.tree import Path, distance

Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def instant_reward(updates: NDArray[np.floating], known: Bools, *, leave_one_out: bool = True) -> Doubles:
    """How well each participant fits its cohort: 1 minus its distance, in units of an outlier's; `(clients,)`.

        ΔR = 1 - D / (mean D + std D),      D = ‖update - mean update of the known members‖₂

    updates `(clients, dims)`; known `(clients,)`: who counts for the centre; fewer than two, and everybody does. A
    negative reward marks an outlier; no reward is above 1; scaling all updates changes nothing. Fewer than two
    participants teach nothing (NaN).

    Source: Auxo 4.3. Reading: population standard deviation; with leave_one_out a known member is measured against
    the other known members, so that it is not drawn towards itself (decision 0004).

    >>> instant_reward(np.array([[1.0], [1.0], [-1.0]]), np.array([True, True, False]), leave_one_out=False).round(2)
    array([ 1.  ,  1.  , -0.24])
    """
    n = len(updates)
    if n < 2:
        return np.full(n, np.nan)
    x = np.asarray(updates, np.float64)
    if known.sum() < 2:
        known = np.ones(n, bool)
    count, total = known.sum(), x[known].sum(axis=0)
    centre = np.where(known[:, None], (total - x) / (count - 1), total / count) if leave_one_out else total / count
    distances = np.linalg.norm(x - centre, axis=1)
    outlier = distances.mean() + distances.std()
    return 1.0 - distances / outlier if outlier > 0 else np.ones(n)


def average(reward: Doubles, delta: Doubles, gamma: float) -> Doubles:
    """R ← γ ΔR + (1 - γ) R, where there is a ΔR. Source: Auxo 4.3, γ = 0.2.

    >>> average(np.array([0.0, 1.0]), np.array([1.0, np.nan]), 0.2)
    array([0.2, 1. ])
    """
    return np.where(np.isnan(delta), reward, gamma * np.nan_to_num(delta) + (1 - gamma) * reward)


def predicted(delta: Doubles, here: Path, there: Path) -> Doubles:
    """What a visit to one cohort foretells of another: ΔR / (d + 1), d the tree distance; so that the search is binary.

    Source: Auxo 4.3, ExploreReward and Figure 7. Reading: the ΔR of this visit, for never-visited cohorts only; the
    printed `R[m'] += R[m] / (d + 1)` has no bound and drives clients out of good cohorts (decision 0003).

    >>> predicted(np.array([-3.0]), (0, 0, 1), (0, 0, 0)), predicted(np.array([-3.0]), (0, 0, 1), (0, 1))
    (array([-1.5]), array([-1.]))
    """
    return delta / (distance(here, there) + 1)


def leaves_heard_of(paths: tuple[Path, ...], heard: Bools) -> Bools:
    """Which cohorts are leaves as far as each client has heard, `(clients, cohorts)`: those of whose children it
    knows nothing.
    """
    known = heard.copy()
    column = {path: i for i, path in enumerate(paths)}
    for path, i in column.items():
        if path and path[:-1] in column:
            known[:, column[path[:-1]]] &= ~heard[:, i]
    return known


def labelled(paths: tuple[Path, ...], cluster: Ints) -> Bools:
    """Where the client was told, in the parent, that this child is its own: `(clients, cohorts)`."""
    column = {path: i for i, path in enumerate(paths)}
    told = np.zeros(cluster.shape, bool)
    for path, i in column.items():
        if path and path[:-1] in column:
            told[:, i] = cluster[:, column[path[:-1]]] == path[-1]
    return told
