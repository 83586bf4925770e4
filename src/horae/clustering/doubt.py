"""False claims: a coordinator stops believing a client whose claims its updates contradict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from horae.pure.streams import uniforms
from horae.types import Bools, CohortTree, Doubles, Ints, Wishes

MOST = 4096  # clients that a cohort counts or doubts; of more, those first counted are forgotten


def counted(
    strikes: Mapping[int, int], clients: Ints, claims: Doubles, reward: Doubles, tau: float, q: int
) -> dict[int, int]:
    """How many visits in a row each client claimed what its update contradicts, after this round; q is for good.

        claim > τ  and  ΔR < 0

    Any other visit begins anew, but for one without a ΔR, which tells nothing. claims, reward `(clients,)`, NaN for
    none. At most `MOST` clients are kept.

    Source: Auxo 5.2 and Algorithm 1, line 8 ("comparing its position in the cluster with its claimed affinity"), which
    has no formula. Reading: notes A19; the cohort that was visited counts, and its children begin with no doubts.
    """
    table = dict(strikes)
    told = ~np.isnan(reward)
    wrong = told & (np.nan_to_num(reward) < 0) & (np.nan_to_num(claims, nan=-np.inf) > tau)
    for client, lied in zip(clients[told].tolist(), wrong[told].tolist(), strict=True):
        before = table.get(client, 0)
        if before >= q:
            continue
        table.pop(client, None)
        if lied:
            table[client] = before + 1
    return dict(list(table.items())[-MOST:])


def doubted(tree: CohortTree, clients: Ints, q: int) -> Bools:
    """Who is on the blacklist of any leaf, `(clients,)`."""
    black = [c for leaf in tree.leaves() for c, n in leaf.clustering.strikes.items() if n >= q]
    return np.isin(clients, np.array(black, np.int64))


def disbelieved(wishes: Wishes, tree: CohortTree, clients: Ints, seed: int, q: int) -> Wishes:
    """The requests of doubted clients served as if they had no record: a leaf at random in every round, no claim, and
    an explorer's place, which counts for no centre.
    """
    leaves = tree.paths()
    black = doubted(tree, clients, q) if len(leaves) > 1 else np.zeros(clients.size, bool)
    if not black.any():
        return wishes
    rounds = max(cohort.round for cohort in tree)
    anywhere = (uniforms(seed, "doubted", clients, rounds) * len(leaves)).astype(np.int64)
    return replace(
        wishes,
        paths=(*leaves, *wishes.paths),
        choice=np.where(black, anywhere, len(leaves) + wishes.choice),
        claims=np.where(black, np.nan, wishes.claims),
        exploring=wishes.exploring | black,
    )
