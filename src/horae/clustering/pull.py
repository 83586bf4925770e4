"""Where an update points to: a client in the wrong cohort moves towards the model of its own (decision 0007)."""

from __future__ import annotations

import numpy as np

from horae.types import UNKNOWN, Bools, CohortTree, Floats, Ints, Outcome


def pointed_to(outcome: Outcome, sketch: Floats, here: Bools, tree: CohortTree, least: float) -> Ints:
    """The leaf whose model a participant's update points to, as an index into the leaves; UNKNOWN for its own.

    A client of another cohort, training on this cohort's model w, moves towards its own cohort's w': the cosine of its
    deviation with w' - w is 0.3-0.8 for strangers and below 0.15 for members (decision 0007). least: the cosine from
    which it counts.
    """
    home, leaves = tree[outcome.round.path].params, tree.paths()
    others = [i for i, leaf in enumerate(leaves) if leaf != outcome.round.path]
    nowhere = np.full(outcome.clients.size, UNKNOWN)
    if not others:
        return nowhere
    ways = np.stack([tree[leaves[i]].params - home for i in others])
    if outcome.held is not None:  # models are compared where both have weights
        ways = ways * (outcome.held.everybody() & (home != 0) & np.array([tree[leaves[i]].params != 0 for i in others]))
    inner = outcome.updates.along(ways).astype(np.float64)
    middle = here if here.any() else np.ones_like(here)
    lengths = np.linalg.norm(sketch - sketch[middle].mean(axis=0), axis=1)[:, None] * np.linalg.norm(ways, axis=1)
    pull = (inner - inner[middle].mean(axis=0)) / np.maximum(lengths, 1e-30)
    best = pull.argmax(axis=1)
    return np.where(pull.max(axis=1) >= least, np.array(others)[best], nowhere)
