"""The README's picture, from a finished run of the demo: `python benchmarks/picture.py runs/NAME
docs/pictures/demo.png`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from horae.report.recorder import read

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    """All events of one kind."""
    return [event for event in read(run / "events.jsonl") if event["event"] == kind]


def over_time(axes: Axes, run: Path) -> None:
    """Mean accuracy over simulated time, the cohorts' range as a band, a line at each split."""
    for folder, colour, name, style in (
        (run, BLUE, "Auxo: a model per cohort", "-"),
        (run / "baseline", ORANGE, "one global model", "--"),
    ):
        scores = events(folder, "score")
        hours = [score["at_s"] / 3600 for score in scores]
        leaves = [[100 * a for _, a in score["cohorts"].values() if a is not None] for score in scores]
        lowest, highest = list(map(min, leaves)), list(map(max, leaves))
        axes.fill_between(hours, lowest, highest, color=colour, alpha=0.2, linewidth=0)
        axes.plot(hours, [100 * score["accuracy"] for score in scores], style, color=colour, linewidth=2)
        axes.text(hours[-1], 100 * scores[-1]["accuracy"] - 7, name, color=colour, ha="right")
    for split in (verdict for verdict in events(run, "verdict") if verdict["split"]):
        axes.axvline(split["at_s"] / 3600, color=GREY, linewidth=1, linestyle=":")
        axes.text(split["at_s"] / 3600 + 1, 4, f"splits into {len(split['children'])}", color=GREY)
    axes.set(xlabel="simulated hours", ylabel="mean test accuracy, %", ylim=(0, 100), xlim=(0, None))


def over_clients(axes: Axes, run: Path) -> None:
    """Every client's accuracy, from worst to best."""
    for folder, colour, style in ((run, BLUE, "-"), (run / "baseline", ORANGE, "--")):
        accuracy = np.array([a for a in events(folder, "clients")[-1]["accuracy"] if a is not None])
        axes.step(np.linspace(0, 100, accuracy.size), 100 * np.sort(accuracy), style, color=colour, linewidth=2)
    axes.set(xlabel="clients, from worst to best, %", ylim=(0, 101), xlim=(0, 100))


def main() -> None:
    """Read the run, write the picture."""
    run, out = map(Path, sys.argv[1:])
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    over_time(left, run)
    over_clients(right, run)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
