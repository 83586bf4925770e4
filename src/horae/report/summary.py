"""summary.json: a run in two dozen numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from horae.ledger import Ledger
from horae.observers import Score
from horae.population.rows import Lookup
from horae.pure.fairness import adjusted_rand_index
from horae.report.masks import last_of, sparsity
from horae.report.recorder import EventLog, label
from horae.types import Ints

KNOWN_AFTER = 3  # participations after which a client's cohort is judged


def summarise(log: EventLog, ledger: Ledger, groups: Lookup, target: float, simulated_s: float) -> dict[str, Any]:
    """The numbers of a finished run. Accuracies are shares, not percent; null where there is none."""
    last = log.last
    assert last is not None  # every run ends with a score
    worst, best = last.tails
    visits = log.visits_of(last.clients)
    seen = (visits > 0) & ~np.isnan(last.accuracy)
    table = {
        "accuracy": last.mean,
        "accuracy_worst10": worst,
        "accuracy_best10": best,
        "accuracy_variance": float(last.scored.var()) if last.scored.size else None,
        "accuracy_seen": float(last.accuracy[seen].mean()) if seen.any() else None,
        **log.metrics,
        "clients_seen": int((visits > 0).sum()),
        "cohorts": len(last.leaves),
        "splits": [f"{s['cohort']} at round {s['round']}: {s['reason']}" for s in log.splits],
        "adjusted_rand_index": _agreement(last, visits, groups),
        "rounds": log.rounds,
        "simulated_s": round(simulated_s, 3),
        "participations": ledger.participations,
        "updates_refused": log.refused,
        "bytes_up": ledger.nbytes_up,
        "bytes_down": ledger.nbytes_down,
        "flops": ledger.flops,
        **_pruned(log, ledger),
        **_counted(log),
        "time_to_accuracy_s": _time_to(log.scores, target),
    }
    return {key: None if isinstance(v, float) and not np.isfinite(v) else v for key, v in table.items()}


def _pruned(log: EventLog, ledger: Ledger) -> dict[str, Any]:
    """What pruning adds: the share of weights that went, FLOPs as if zeros cost nothing, and the shares of all bytes
    and FLOPs that exploring took. Nothing of it where nothing was pruned.
    """
    last, told = log.last, ledger.by_purpose.get("exploration")
    found: dict[str, Any] = {}
    gone = sparsity(last_of(log.masks, [label(path) for path in last.leaves] if last else []))
    if gone is not None:
        found = {"sparsity": gone, "sparse_flops": ledger.sparse_flops}
    if told is not None:
        spent, flops = told.nbytes_up + told.nbytes_down, told.flops
        every = ledger.nbytes_up + ledger.nbytes_down
        found["exploration"] = {"bytes": spent / max(every, 1), "flops": flops / max(ledger.flops, 1)}
    return found


def _counted(log: EventLog) -> dict[str, Any]:
    """What the census came to: windows that closed, clients counted in them, totals that clients refused."""
    closed = [event for event in log.censuses if event["what"] == "closed"]
    if not log.censuses:
        return {}
    counted, refused = (sum(event[key] for event in closed) for key in ("counted", "refused"))
    return {"census": {"windows": len(closed), "counted": counted, "refused": refused}}


def _agreement(last: Score, visits: Ints, groups: Lookup) -> float | None:
    """Adjusted Rand index of leaves against planted groups, over clients that took part often enough; None where
    nothing is planted.
    """
    judged = (visits >= KNOWN_AFTER) & (groups[last.clients] >= 0)
    return adjusted_rand_index(groups[last.clients][judged], last.home[judged])


def _time_to(scores: list[dict[str, Any]], target: float) -> float | None:
    reached = [s["at_s"] for s in scores if target > 0 and (s["accuracy"] or 0.0) >= target]
    return round(reached[0], 3) if reached else None
