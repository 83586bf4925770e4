"""The pruning benchmark's picture: accuracy over bytes and over FLOPs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

SMOOTH = 9  # rounds
LINES = {
    "dense": ("dense", "#000000", "-"),
    "AutoFLIP weighted @ 70%": ("AutoFLIP", "#0072B2", "-"),
    "weighted, 25% explore": ("AutoFLIP, a quarter explores", "#0072B2", "--"),
    "ssfl @ 70%": ("SSFL", "#D55E00", "-"),
    "ssfl, 25% explore": ("SSFL, a quarter explores", "#D55E00", "--"),
    "prunefl @ 70%": ("PruneFL", "#009E73", "-"),
    "feddst @ 70%": ("FedDST", "#CC79A7", "-"),
    "slim @ 70%": ("smaller dense model", "#E69F00", "--"),
    "heterofl": ("HeteroFL", "#56B4E9", "--"),
    "magnitude @ 70%": ("magnitude", "#777777", "--"),
    "random @ 70%": ("random", "#777777", ":"),
    "inverted @ 70%": ("AutoFLIP inverted", "#0072B2", ":"),
}


def draw(runs: dict[str, Any], file: Path) -> None:
    """Two panels: a line per method, its end with the spread over seeds."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    for column, axes, unit in ((2, left, 1e6), (3, right, 1e9)):
        for arm, (name, colour, style) in LINES.items():
            if arm in runs:
                line(axes, list(runs[arm].values()), column, unit, (name, colour, style))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, which="both", axis="both", color="#eeeeee")
    left.set(xlabel="MB up and down, exploration included", ylabel="test accuracy, %", ylim=(0, None), xlim=(0, None))
    right.set(xlabel="GFLOP on clients, exploration included", xlim=(0, None))
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    figure.savefig(file, dpi=110)


def line(axes: Axes, runs: list[dict[str, Any]], column: int, unit: float, look: tuple[str, str, str]) -> None:
    """Mean over seeds of the smoothed accuracy, with the standard deviation at the end."""
    curves = np.array([run["curve"] for run in runs], float)
    ahead = np.ones(SMOOTH) / SMOOTH
    smooth = np.array([np.convolve(curve[1:, 1], ahead, "valid") for curve in curves]) * 100
    cost = curves[:, SMOOTH:, column].mean(axis=0) / unit
    name, colour, style = look
    axes.plot(cost, smooth.mean(axis=0), style, color=colour, linewidth=1.8, label=name)
    spread = smooth[:, -1].std(ddof=1) if len(runs) > 1 else 0.0
    axes.errorbar(cost[-1], smooth[:, -1].mean(), spread, fmt="o", color=colour, markersize=4, capsize=3)
