"""The alignment benchmark's picture: accuracy over rounds where hours depend on labels, and what each mode gains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

SMOOTH = 5  # rounds
LINES = {
    "raw": ("raw", "#000000", "-"),
    "exact": ("exact", "#D55E00", "-"),
    "waterfill": ("waterfill", "#009E73", "-"),
    "weight": ("weight", "#0072B2", "-"),
    "weight, g known": ("weight, g known", "#0072B2", ":"),
}
SCENES = ("A", "C", "D", "D, 1,000 clients")
NAMES = ("A", "C", "D", "D, 1,000\nclients")


def draw(found: dict[str, Any], file: Path) -> None:
    """Two panels: a line per mode with its end's spread over seeds; points per scene, bars from seed to seed."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for i, (arm, look) in enumerate(LINES.items()):
        line(left, list(found["D, 1,000 clients"][arm].values()), look, 1 + 0.7 * i)
    left.axvline(10, color="#999999", linewidth=1, linestyle=":")
    left.annotate("first window closes", (10, 22), (10.6, 21.5), fontsize=8, color="#555555")
    left.set(
        xlabel="round (D, 1,000 clients)", ylabel="accuracy on one common test set, %", xlim=(0, 66), ylim=(20, 100)
    )
    for i, (arm, look) in enumerate(list(LINES.items())[1:]):
        points(right, found, arm, (i - 1.5) * 0.17, look)
    right.axhline(0, color="#000000", linewidth=1)
    right.set(ylabel="points above raw, same seed", xticks=range(len(SCENES)))
    right.set_xticklabels(NAMES)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, axis="y", color="#eeeeee")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    figure.savefig(file, dpi=110)


def line(axes: Axes, runs: list[dict[str, Any]], look: tuple[str, str, str], aside: float) -> None:
    """Mean over seeds of the smoothed accuracy, with the standard deviation beside its end."""
    name, colour, style = look
    fill = "white" if style == ":" else colour
    ahead = np.ones(SMOOTH) / SMOOTH
    smooth = 100 * np.array([np.convolve(run["curve"], ahead, "valid") for run in runs])
    rounds = np.arange(smooth.shape[1]) + SMOOTH - 1
    axes.plot(rounds, smooth.mean(axis=0), style, color=colour, linewidth=1.8)
    axes.plot([], [], style, color=colour, marker="o", markersize=5, mfc=fill, label=name)
    spread = smooth[:, -1].std(ddof=1) if len(runs) > 1 else 0.0
    axes.errorbar(rounds[-1] + aside, smooth[:, -1].mean(), spread, fmt="o", color=colour, mfc=fill, markersize=5,
                  capsize=2)  # fmt: skip


def points(axes: Axes, found: dict[str, Any], arm: str, shift: float, look: tuple[str, str, str]) -> None:
    """What a mode gains over raw in each scene: mean, and from the worst to the best seed."""
    for place, scene in enumerate(SCENES):
        raw, mine = found[scene]["raw"], found[scene][arm]
        gains = 100 * np.array([mine[seed]["accuracy"] - raw[seed]["accuracy"] for seed in mine if seed in raw])
        mean, fill = gains.mean(), "white" if look[2] == ":" else look[1]
        bars = [[mean - gains.min()], [gains.max() - mean]]
        axes.errorbar(place + shift, mean, bars, fmt="o", color=look[1], mfc=fill, markersize=5, capsize=3)
