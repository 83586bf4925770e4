"""A game as pictures: clients by cohort, one PNG per round that was asked for, and all of it as a GIF."""

from __future__ import annotations

import io
from pathlib import Path as File

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from horae.files import write_whole
from horae.playground.game import Frame, Played
from horae.types import Bools, Path

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#5b5b5b")  # Okabe and Ito
MARKS = "os^Dv<>P"
MS = 350  # how long the animation stands still


def write_pictures(played: Played, out: File) -> list[str]:
    """One PNG per round drawn, and the animation; the names of the files. `out` is there already."""
    look = _colours(played)
    names = []
    for number in played.game.drawn:
        name = f"round-{number:04d}.png"
        write_whole(out / name, _png(_draw(played, played.frames[number], look), dpi=110))
        names.append(name)
    animation = _gif([_draw(played, played.frames[number], look) for number in played.game.stills])
    if animation:
        write_whole(out / "playground.gif", animation)
        names.append("playground.gif")
    return names


def _colours(played: Played) -> dict[Path, int]:
    """A number for every cohort that is ever drawn, in order of appearance: it keeps its colour."""
    paths = [path for number in sorted(played.frames) for path in played.frames[number].cohorts]
    return {path: i for i, path in enumerate(dict.fromkeys(paths))}


def _draw(played: Played, frame: Frame, look: dict[Path, int]) -> Figure:
    figure = Figure(figsize=(6.4, 5.4))
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.1, right=0.97, top=0.93, bottom=0.24)
    axes, points = figure.subplots(), played.planted.points
    for i, path in enumerate(frame.cohorts):
        here: Bools = frame.home == i
        if not here.any():
            continue
        colour, mark = COLOURS[look[path] % len(COLOURS)], MARKS[look[path] % len(MARKS)]
        name = f"cohort {'.'.join(map(str, (0, *path)))}: {int(here.sum())} clients"
        axes.scatter(points[here, 0], points[here, 1], s=13, c=colour, marker=mark, alpha=0.6, linewidths=0, label=name)
        middle = points[here].mean(axis=0)
        axes.scatter(middle[0], middle[1], s=190, c=colour, marker=mark, edgecolors="black", linewidths=1.6, zorder=3)
    low, high = points.min(axis=0), points.max(axis=0)
    edge = 0.04 * np.maximum(high - low, 1e-9)
    axes.set(xlim=(low[0] - edge[0], high[0] + edge[0]), ylim=(low[1] - edge[1], high[1] + edge[1]))
    axes.set(xlabel="first coordinate of a client's update", ylabel="second coordinate", title=_title(frame))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _title(frame: Frame) -> str:
    """Round, cohorts, and agreement with the planted centres."""
    n, scores = len(frame.cohorts), frame.scores
    words = f"Round {frame.round}: {n} cohort{'s' if n > 1 else ''}, ARI {scores['adjusted_rand_index']:.2f}"
    return f"{words}, nearest two merged {scores['adjusted_rand_index_merged']:.2f}"


def _png(figure: Figure, dpi: int) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
    return out.getvalue()


def _gif(figures: list[Figure]) -> bytes | None:
    """The figures one after the other; None without pillow, which matplotlib brings along."""
    try:
        from PIL import Image
    except ImportError:
        return None
    images = [Image.open(io.BytesIO(_png(figure, dpi=72))).convert("RGB") for figure in figures]
    plain = [image.quantize(colors=64) for image in images]
    out = io.BytesIO()
    times = [MS] * (len(plain) - 1) + [4 * MS]
    plain[0].save(out, format="GIF", save_all=True, append_images=plain[1:], duration=times, loop=0)
    return out.getvalue()
