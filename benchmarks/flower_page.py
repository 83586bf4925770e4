"""benchmarks/results/flower.md from the rows of flower.json."""

from __future__ import annotations

import statistics
from typing import Any

RIVAL = "FedAvg, horae's trainer"


def page(told: dict[str, Any], kinds: list[str], sizes: list[str]) -> str:
    """One table a deployment."""
    lines = ["# What horae costs on Flower", ""]
    lines += [
        f"{told['nodes']} SuperNodes and a SuperLink on one machine of {told['cores']} cores that others may keep busy"
    ]
    lines += [
        f"(`.flower/bin/python benchmarks/flower.py`); {told['steps']} steps of 20 samples of a 64-h-10 perceptron."
    ]
    lines += ["Medians over turns of a turn's median round; in brackets the least and the most. Ratios are"]
    lines += [
        f'taken inside each turn, to "{RIVAL}". Bytes: both ways between SuperNodes and SuperLink, polls included.'
    ]
    for mode in dict.fromkeys(row["mode"] for row in told["rows"]):
        rows = [row for row in told["rows"] if row["mode"] == mode]
        loads = [row["load"] for row in rows]
        lines += ["", f"## {mode.capitalize()} (load {min(loads):.0f} to {max(loads):.0f})", ""]
        lines += [
            "| model | | turns | seconds a round | ratio | bytes a round | ratio | CPU s a message |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for size in sizes:
            lines += [line for kind in kinds if (line := _line(rows, size, kind))]
    return "\n".join(lines) + "\n"


def _line(rows: list[dict[str, Any]], size: str, kind: str) -> str:
    """One row of a table, or nothing."""
    mine = {row["turn"]: row for row in rows if (row["size"], row["kind"]) == (size, kind)}
    base = {row["turn"]: row for row in rows if (row["size"], row["kind"]) == (size, RIVAL)}
    if not mine:
        return ""
    cells = [size, kind, str(len(mine))]
    for what, form in (("seconds", "{:.2f}"), ("bytes", "{:,.0f}")):
        medians = {turn: statistics.median(row[what]) for turn, row in mine.items()}
        cells.append(_spread(list(medians.values()), form))
        shared = [medians[turn] / statistics.median(base[turn][what]) for turn in medians if turn in base]
        cells.append(_spread(shared, "{:.3f}") if shared and kind != RIVAL else "")
    spent = [statistics.median(row["cpu"]) for row in mine.values() if row.get("cpu")]
    cells.append(_spread(spent, "{:.2f}") if spent else "")
    return f"| {' | '.join(cells)} |"


def _spread(values: list[float], form: str) -> str:
    middle, least, most = (form.format(f(values)) for f in (statistics.median, min, max))
    return f"{middle} ({least} to {most})"
