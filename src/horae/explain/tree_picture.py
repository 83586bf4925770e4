"""The tree of cohorts over time: a band for each, as thick as it holds clients, and a line down at each split."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator

from horae.explain.canvas import INK, SOFT, Panel
from horae.explain.reading import born, clock, colour, ended
from horae.report.reading import Arm, Node
from horae.report.svg import Canvas, label_ends
from horae.report.tables import plural, share

ROW, MOST = 64, 900  # pixels of a leaf, and of all of them


def panels(arm: Arm) -> list[Panel]:
    """One panel; nothing where nobody was ever scored."""
    if not arm.whereabouts:
        return []
    rows = _rows(arm.forest())
    leaves = max(1, sum(1 for name in rows if ended(arm, name) is None))
    size, words = clock(arm.events)
    over = max(event.get("at_s", 0.0) for event in arm.events)

    def plot(axes: Axes, canvas: Canvas) -> None:
        labels = [label for name, y in rows.items() if (label := _band(axes, arm, name, y, size, over)) is not None]
        for split in arm.splits:
            ends = [rows[child] for child in (*split.get("children", ()), split["cohort"]) if child in rows]
            axes.plot([split["at_s"] / size] * 2, [min(ends), max(ends)], color=SOFT, linewidth=1.4, zorder=1)
        axes.set_xlim(0, over / size or 1)
        axes.set_ylim(0.4 - leaves, 0.6)
        label_ends(axes, labels, canvas)
        axes.set_xlabel(words)
        axes.grid(False)
        axes.yaxis.set_major_locator(NullLocator())
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 2.5, 5, 10]))

    return [Panel("a band is a cohort, as thick as it has clients at home", min(MOST, ROW * leaves + 40), plot)]


def _rows(nodes: list[Node]) -> dict[str, float]:
    """The height of every cohort: leaves on lines of their own, a parent in the middle of its children."""
    rows: dict[str, float] = {}
    leaves = 0

    def place(node: Node) -> float:
        nonlocal leaves
        if node.children:
            below = [place(child) for child in node.children]
            rows[node.name] = (below[0] + below[-1]) / 2
        else:
            rows[node.name] = float(leaves)
            leaves -= 1
        return rows[node.name]

    for node in nodes:
        place(node)
    return rows


def _band(axes: Axes, arm: Arm, name: str, y: float, size: float, over: float) -> tuple[float, str, str] | None:
    """One cohort from its birth to its split or the end; a leaf's label."""
    begin, end = born(arm, name), ended(arm, name)
    first, last = (begin or {"at_s": 0.0})["at_s"], (end or {"at_s": over})["at_s"]
    told = [(score["at_s"], *score["cohorts"][name]) for score in arm.whereabouts if name in score["cohorts"]]
    if not told:
        return None
    every = max(1, *(sum(n for n, _ in score["cohorts"].values()) for score in arm.whereabouts))
    at = np.clip([first, *(t for t, _, _ in told), last], first, last) / size
    half = 0.42 * np.array([told[0][1], *(n for _, n, _ in told), told[-1][1]]) / every
    tint = colour(arm, name)
    axes.fill_between(at, y - half, y + half, color=tint, alpha=0.45, linewidth=0, zorder=2)
    axes.plot(at, np.full(at.size, y), color=tint, linewidth=1.6, zorder=3)
    if end is not None:
        top = (float(at[0]), y + float(half[0]))
        axes.annotate(name, top, (3, 3), textcoords="offset points", color=INK, fontsize=12)
        return None
    _, n, accuracy = told[-1]
    return y, f"{name}  {plural(n, 'client')}\n{share(accuracy)}", tint
