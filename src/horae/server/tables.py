"""The tables of the page: a caption, a head and rows of words, the same words as in the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from horae.report.sections import COSTS, PURPOSES, SCORE
from horae.report.tables import NONE, count, flops, nbytes, number, seconds, share, signed
from horae.server.fold import Fold, natural
from horae.server.watch import Watched
from horae.settings import differences

Table = dict[str, Any]
MOST_ROWS = 60


def made(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table, its rows cut off where they are many, and the caption says so."""
    more = len(rows) - MOST_ROWS
    caption += f" (the first {MOST_ROWS} of {len(rows):,})" if more > 0 else ""
    return {"caption": caption, "head": list(head), "rows": [list(row) for row in rows[:MOST_ROWS]]}


def scores(fold: Fold) -> Table:
    """The last scores, the newest first."""
    rows = [[say(score.get(key)) for _, key, say in SCORE] for score in fold.scores[: -MOST_ROWS // 2 : -1]]
    return made("Scores, the newest first", [name for name, _, _ in SCORE], rows)


def cohorts(fold: Fold) -> Table:
    """Every cohort there ever was, in the order of the tree."""
    last, groups = fold.score.get("cohorts", {}), fold.score.get("groups") or {}
    rows = []
    for name in sorted(fold.cohorts, key=natural):
        each = fold.cohorts[name]
        clients, accuracy = last.get(name, (None, None))
        said = f"split after {seconds(each.until_s)}: {each.split['reason']}" if each.split else "a leaf"
        rows.append([
            name, seconds(each.since_s), count(each.rounds), count(clients), share(accuracy),
            ", ".join(map(str, groups[name])) if name in groups else NONE, said,
        ])  # fmt: skip
    head = ["cohort", "since", "rounds", "clients", "accuracy", "of each planted group", "what became of it"]
    return _lean(made("Cohorts", head, rows), 5)


def moves(fold: Fold) -> Table:
    """Who went from which cohort to which, the largest flow first."""
    ranked = sorted(fold.moves.items(), key=lambda pair: (-pair[1], pair[0]))
    rows = [[a, b, count(n), "its parent split" if b.startswith(f"{a}.") else "moved"] for (a, b), n in ranked]
    return made("From its last visit's cohort to another one", ["from", "to", "times", "how"], rows)


def ledger(fold: Fold) -> Table:
    """What everything cost."""
    told = fold.ledger
    rows = [[PURPOSES.get(name, name), *(say(row.get(key)) for key, say in COSTS)] for name, row in told.items()]
    if len(told) > 1:
        rows.append(["all", *(say(sum(row.get(key, 0) for row in told.values())) for key, say in COSTS)])
    return made("The ledger", ["purpose", "participations", "up", "down", "FLOPs", "client time"], rows)


def looks(fold: Fold) -> Table:
    """What cohorts decided about themselves, the newest first."""
    rows = [
        [
            v["cohort"],
            count(v["round"]),
            seconds(v["at_s"]),
            number(v["statistic"]),
            number(v["threshold"]),
            v["reason"],
        ]
        for v in fold.looks[::-1][:20]
    ]
    head = ["cohort", "round", "time", "statistic", "threshold", "verdict"]
    return made("The last looks cohorts took at themselves", head, rows)


COMPARED = (
    ("mean accuracy", "accuracy", share, signed),
    ("worst tenth of clients", "accuracy_worst10", share, signed),
    ("cohorts", "cohorts", count, count),
    ("adjusted Rand index", "adjusted_rand_index", number, number),
    ("rounds", "rounds", count, count),
    ("participations", "participations", count, count),
    ("simulated time", "simulated_s", seconds, None),
    ("sent by clients", "bytes_up", nbytes, None),
    ("sent to clients", "bytes_down", nbytes, None),
    ("FLOPs", "flops", flops, None),
)


def side_by_side(one: Watched, other: Watched) -> Table:
    """Two runs, number by number."""
    a, b = (run.summary or run.main.fold.standing() for run in (one, other))
    rows = []
    for name, key, say, gap in COMPARED:
        x, y = a.get(key), b.get(key)
        if x is None and y is None:
            continue
        told = gap(x - y) if gap and x is not None and y is not None else NONE
        rows.append([name, say(x), say(y), told.replace("-", "−")])
    return made("Number by number", ["", one.name, other.name, "the first more by"], rows)


def settings(one: Watched, other: Watched) -> Table:
    """The fields of the two experiments that differ."""
    rows = [[str(key)[:200], _value(a), _value(b)] for key, a, b in differences(one.settings, other.settings)]
    return made("Fields of the experiments that differ", ["field", one.name, other.name], rows)


def _value(value: object) -> str:
    return NONE if value is None else str(value)[:200]


def _lean(table: Table, column: int) -> Table:
    """Without a column that says nothing."""
    if any(row[column] != NONE for row in table["rows"]):
        return table
    cut = [[cell for i, cell in enumerate(row) if i != column] for row in [table["head"], *table["rows"]]]
    return {**table, "head": cut[0], "rows": cut[1:]}
