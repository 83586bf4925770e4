"""What a log says of the single clients of a round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from horae.types import UNKNOWN, Doubles, Feedback, Outcome, Path


def by_client(outcome: Outcome, feedback: Feedback | None, label: Callable[[Path], str]) -> dict[str, Any]:
    """What a round says of single clients: who was invited in vain, who explored, and, in the order of `clients`,
    claims, rewards, labels and the cohorts they were told to try. What says nothing is left out.

    label: a cohort's name.
    """
    table: dict[str, Any] = {}
    if (unused := np.setdiff1d(outcome.round.invited, outcome.clients)).size:
        table["unused"] = unused.tolist()
    if outcome.exploring.any():
        table["explorers"] = outcome.clients[outcome.exploring].tolist()
    if np.nan_to_num(outcome.claims).any():
        table["claims"] = _rounded(outcome.claims, 3)
    row = {client: i for i, client in enumerate(feedback.clients.tolist())} if feedback else {}
    rows = np.array([row.get(client, -1) for client in outcome.clients.tolist()], np.int64)
    told, at = rows >= 0, np.maximum(rows, 0)
    if feedback is None or not told.any():
        return table
    reward = np.where(told, feedback.reward[at], np.nan)
    cluster, towards = (np.where(told, column[at], UNKNOWN) for column in (feedback.cluster, feedback.towards))
    if not np.isnan(reward).all():
        table["rewards"] = _rounded(reward, 4)
    if (cluster != UNKNOWN).any():
        table["labels"] = cluster.tolist()
    if (towards != UNKNOWN).any():
        names = [label(leaf) for leaf in feedback.leaves]
        table["towards"] = [None if i == UNKNOWN else names[i] for i in towards.tolist()]
    return table


def _rounded(column: Doubles, digits: int) -> list[float]:
    """A column in as many digits as are of use; minus nothing is nothing."""
    return [round(value, digits) + 0.0 for value in column.tolist()]
