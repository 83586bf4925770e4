"""What the page shows, as tables that can be written as JSON: numbers for pictures, words for people."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from horae.errors import one_line
from horae.report import words
from horae.report.log import Event
from horae.report.reading import Arm
from horae.report.tables import NONE, count, nbytes, plural, seconds, share
from horae.server import tables
from horae.server.fold import Fold, natural
from horae.server.watch import Watch, Watched

View = dict[str, Any]
T = TypeVar("T")
POINTS, COLUMNS, LINES = 400, 80, 60  # of a curve, of flows, of cohorts in a picture
BUDGETS = (
    ("participations", "participations", "participations", count),
    ("simulated_s", "simulated_s", "of simulated time", seconds),
    ("bytes", "nbytes", "sent both ways", nbytes),
)


def runs(watch: Watch) -> View:
    """The list of runs."""
    listed = [_listed(run) for run in watch.all()]
    others = [one_line(name, 80) for name in watch.found.others]
    return {"root": str(watch.root), "runs": listed, "others": others[:20], "others_n": len(others),
            "more": watch.found.more}  # fmt: skip


def run(watched: Watched) -> View:
    """Everything about one run."""
    fold, rival = watched.main.fold, watched.rival.fold if watched.has_rival else None
    ours, theirs = _arm(fold, watched.summary), _arm(rival, {}, watched.summary.get("baseline", {})) if rival else None
    equal = theirs if theirs and theirs.finished and ours.finished else None
    told = bool(fold.run)
    return {
        **_listed(watched),
        "headline": words.headline(ours, equal) if told else "Nothing to show yet",
        "over": _over(watched),
        "tiles": [[tile.name, tile.value, tile.remark] for tile in words.tiles(ours, equal)] if told else [],
        "news": _news(fold),
        "hint": _hint(watched),
        "arms": [_curve(ours, fold), *([_curve(theirs, rival)] if theirs and rival else [])],
        "tree": _tree(fold),
        "flows": _flows(fold),
        "clients": fold.run.get("clients"),
        "leaves": fold.leaves[: tables.MOST_ROWS],
        "names": sorted(fold.cohorts, key=natural)[: tables.MOST_ROWS],
        "tables": {
            "scores": tables.scores(fold), "cohorts": tables.cohorts(fold), "moves": tables.moves(fold),
            "ledger": tables.ledger(fold), "looks": tables.looks(fold),
        },
    }  # fmt: skip


def beside(one: Watched, other: Watched) -> View:
    """Two runs beside each other."""
    arms = [{**_curve(_arm(run.main.fold, run.summary), run.main.fold), "label": run.name} for run in (one, other)]
    return {
        "runs": [_listed(one), _listed(other)],
        "arms": arms,
        "tables": {"numbers": tables.side_by_side(one, other), "settings": tables.settings(one, other)},
    }


def thinned(items: Sequence[T], most: int) -> list[T]:
    """At most so many items, evenly spaced, the first and the last among them.

    >>> thinned(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def _listed(watched: Watched) -> View:
    fold, summary = watched.main.fold, watched.summary or watched.main.fold.standing()
    written = max(watched.main.tail.written_s, watched.rival.tail.written_s)
    return {
        "id": watched.name, "name": str(summary.get("name") or fold.run.get("name") or watched.directory.name),
        "state": watched.state, "why": watched.why, "version": watched.version, "behind": watched.behind,
        "clustering": fold.clustering or NONE, "seed": count(fold.run.get("seed")),
        "accuracy": share(summary.get("accuracy")), "cohorts": count(summary.get("cohorts")) if fold.run else NONE,
        "participations": count(summary.get("participations")) if fold.run else NONE,
        "progress": _progress(watched), "line": [p[3] for p in _points(fold, 40)],
        "written": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(written)) if written else NONE,
    }  # fmt: skip


def _arm(fold: Fold | None, summary: View, more: View | None = None) -> Arm:
    """An arm as the report's words know it, from what is kept."""
    if fold is None:
        return Arm([], {})
    kept: list[Event] = [event for event in (fold.run, fold.score, fold.end) if event]
    return Arm(kept, summary or {**fold.standing(), **(more or {})})


def _over(watched: Watched) -> str:
    first = watched.main.fold.run
    if not first:
        return watched.name
    parts = first.get("components", {})
    said = [parts[family] for family in ("population", "model", "algorithm", "clustering") if family in parts]
    clients = plural(first["clients"], "client")
    return " · ".join([watched.name, clients, f"seed {first['seed']}", *said, f"horae {first['horae']}"])


def _news(fold: Fold) -> str:
    """The last score, in a sentence that can be read out."""
    last = fold.score
    if not last:
        return ""
    leaves = plural(len(last["cohorts"]), "cohort")
    when = f"after {seconds(last['at_s'])} and {plural(last['participations'], 'participation')}"
    return f"Mean accuracy {share(last['accuracy'])}, worst tenth {share(last['worst10'])}, {leaves}, {when}."


def _hint(watched: Watched) -> str:
    """How a run that stopped goes on."""
    if watched.state != "stopped":
        return ""
    return f"It was stopped; go on with horae run --resume {shlex.quote(str(watched.directory))}"


def _progress(watched: Watched) -> View | None:
    """How much of its budget a run has used; of two arms, of both."""
    folds = [watched.main.fold] + ([watched.rival.fold] if watched.has_rival else [])
    for key, _, what, say in BUDGETS:
        limit = watched.settings.get(f"budget.{key}")
        if isinstance(limit, int | float) and not isinstance(limit, bool) and limit > 0:
            done = [_done(fold, key) for fold in folds]
            both = watched.settings.get("baseline", "none") != "none"
            used = [1.0 if fold.finished else min(n / limit, 1.0) for fold, n in zip(folds, done, strict=True)]
            return {"share": sum(used) / (2 if both else 1), "words": f"{say(done[0])} of {say(limit)} {what}"}
    return None


def _done(fold: Fold, key: str) -> float:
    nbytes_ = fold.booked["nbytes_up"] + fold.booked["nbytes_down"]
    return {"participations": fold.booked["participations"], "simulated_s": fold.at_s, "bytes": nbytes_}[key]


def _points(fold: Fold, most: int) -> list[list[float | None]]:
    keys = ("at_s", "nbytes", "participations", "accuracy", "worst10", "best10")
    told = [score for score in fold.scores if score.get("accuracy") is not None]
    return [[score.get(key) for key in keys] for score in thinned(told, most)]


def _curve(arm: Arm, fold: Fold) -> View:
    splits = [c.until_s for c in fold.cohorts.values() if c.until_s is not None]
    return {"label": arm.title, "points": _points(fold, POINTS), "splits": splits[:LINES]}


def _tree(fold: Fold) -> View:
    """Cohorts as lines over time, children below their parent."""
    last = fold.score.get("cohorts", {})
    lines = []
    for name in sorted(fold.cohorts, key=natural)[:LINES]:
        each = fold.cohorts[name]
        clients, accuracy = last.get(name, (None, None))
        lines.append({
            "name": name, "parent": name.rpartition(".")[0], "from": each.since_s,
            "to": fold.at_s if each.until_s is None else each.until_s, "leaf": each.split is None,
            "clients": clients, "accuracy": accuracy, "says": f"{count(clients)} clients, {share(accuracy)}",
        })  # fmt: skip
    return {"lines": lines, "end": fold.at_s, "left_out": max(len(fold.cohorts) - LINES, 0)}


def _flows(fold: Fold) -> View:
    """How many clients are at home where, at each score."""
    columns = thinned([score for score in fold.scores if score["cohorts"]], COLUMNS)
    names = sorted({name for score in columns for name in score["cohorts"]}, key=natural)[:LINES]
    sizes = [[score["cohorts"].get(name, [0])[0] for name in names] for score in columns]
    return {"names": names, "times": [score["at_s"] for score in columns], "sizes": sizes}
