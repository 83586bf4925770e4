"""The census benchmark's page and picture."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

LINES = {
    "complete": ("complete graph", "#D55E00", "-"),
    "SecAgg+": ("Flower's SecAgg+, 32", "#CC79A7", "-"),
    "star, d = 32": ("ours, 32 neighbours", "#0072B2", "-"),
    "star, d = 16": ("ours, 16 neighbours", "#56B4E9", "-"),
    "plain": ("in the clear", "#777777", "--"),
}
OURS = ("star, d = 16", "chain, d = 16", "star, d = 32", "chain, d = 32")
SCHEMES = ("plain", *OURS, "complete", "SecAgg+")


def rows_of(found: dict[str, Any], flower: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Everybody's rows, Flower's among them."""
    theirs = [{**row, "scheme": "SecAgg+", "formula": False} for row in flower["rows"]] if flower else []
    return [*found["rows"], *theirs]


def pages(found: dict[str, Any], flower: dict[str, Any] | None) -> list[str]:
    """The lines of the page."""
    about, rows = found["machine"], rows_of(found, flower)
    theirs = f"{flower['flwr']}, 32 neighbours, its own bytes without the envelope" if flower else "not installed"
    lines = [
        "Made by `python benchmarks/census.py`.",
        "",
        f"{about['cpu']}, {about['cores']} cores that other jobs kept busy; python {about['python']},"
        f" numpy {about['numpy']}; {about['date']}. First epoch, nobody drops out.",
        f"Milliseconds: processor time of one client that shares nothing with others, mean over {found['looked_at']}"
        f" clients; median of 3 turns, up to N = 100 of 5 (least - most). A busy machine makes the same work up to"
        " twice as long, so the least says most.",
        "*: by formula; an empty place was not measured. The formula holds for every complete graph that was run.",
        f"`SecAgg+`: Flower {theirs}.",
    ]
    for title, cell in (
        ("Bytes up per client", lambda row: f"{row['up']:,.0f}"),
        ("Bytes down per client", lambda row: f"{row['down']:,.0f}"),
        ("Milliseconds per client", spread),
    ):
        lines += ["", f"**{title}**", "", *table(rows, cell)]
    ours = [statistics.median(row["operator_ms"]) for row in found["rows"] if row["scheme"] in OURS]
    lines += ["", f"The operator's share is {min(ours):.1f} to {max(ours):.1f} ms a client with d = 16 or 32."]
    return lines


def table(rows: list[dict[str, Any]], cell: Any) -> list[str]:
    """A row for each number of clients and labels, a column for each scheme."""
    lines = ["| N | labels | " + " | ".join(SCHEMES) + " |", "|---" * (len(SCHEMES) + 2) + "|"]
    for n, labels in sorted({(row["clients"], row["labels"]) for row in rows}):
        words = []
        for scheme in SCHEMES:
            some = [row for row in rows if (row["clients"], row["labels"], row["scheme"]) == (n, labels, scheme)]
            said = cell(some[0]) if some else ""
            words.append(said + "*" if some and some[0]["formula"] and said else said)
        lines.append(f"| {n:,} | {labels:,} | " + " | ".join(words) + " |")
    return lines


def spread(row: dict[str, Any]) -> str:
    """Median and range; nothing where nothing was run."""
    turns = row["client_ms"]
    if not turns:
        return ""
    digits = 3 if max(turns) < 0.1 else 1
    low, middle, high = (f"{value:.{digits}f}" for value in (min(turns), statistics.median(turns), max(turns)))
    return f"{middle} ({low} - {high})"


def draw(found: dict[str, Any], flower: dict[str, Any] | None, file: Path) -> None:
    """Bytes up over N and milliseconds over N, at ten labels."""
    rows = [row for row in rows_of(found, flower) if row["labels"] == 10]
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for scheme, look in LINES.items():
        some = [row for row in rows if row["scheme"] == scheme]
        if some:
            line(left, [(row["clients"], row["up"], row["up"], row["up"], row["formula"]) for row in some], look)
        timed = [(r["clients"], statistics.median(t), min(t), max(t), False) for r in some if (t := r["client_ms"])]
        if timed and scheme != "plain":
            line(right, timed, look)
    left.set(xlabel="clients N", title="bytes that a client sends", ylim=(50, 2e5))
    right.set(xlabel="clients N", title="a client's processor time, ms", ylim=(3, 500))
    for axes in (left, right):
        axes.set(xscale="log", yscale="log")
        axes.set_xticks([10, 30, 100, 300, 1000])
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axis.set_minor_formatter(NullFormatter())
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, color="#eeeeee")
        axes.set_axisbelow(True)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    figure.savefig(file, dpi=110, metadata={"Software": None})


def line(axes: Axes, points: list[tuple[float, float, float, float, bool]], look: tuple[str, str, str]) -> None:
    """A line; bars from least to most, hollow where a formula says so."""
    name, colour, style = look
    x, y, low, high, _ = zip(*points, strict=True)
    axes.plot(x, y, style, color=colour, linewidth=1.8, label=name)
    bars = ([a - b for a, b in zip(y, low, strict=True)], [b - a for a, b in zip(y, high, strict=True)])
    axes.errorbar(x, y, bars, fmt="none", ecolor=colour, capsize=3)
    for n, value, _, _, formula in points:
        axes.plot(n, value, "o", color=colour, markersize=5, markerfacecolor="white" if formula else colour)
