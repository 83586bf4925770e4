"""A game as pictures: clients by cohort, one PNG per round that was asked for, and all of it as a GIF."""

from __future__ import annotations

import io
from pathlib import Path as File
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from PIL import Image

from horae.files import write_whole
from horae.playground.game import Frame, Played
from horae.types import Bools, Path

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#5b5b5b")  # Okabe and Ito
MARKS = "os^Dv<>P"
MS = 350  # how long the animation stands still


def write_pictures(played: Played, out: File) -> list[str]:
    """One PNG per round drawn, and the animation; the names of the files. `out` is there already."""
    still, small = _Board(played, dpi=110), _Board(played, dpi=72)
    names = []
    for number in played.game.drawn:
        name = f"round-{number:04d}.png"
        write_whole(out / name, _png(still.draw(played.frames[number])))
        names.append(name)
    write_whole(out / "playground.gif", _gif([small.draw(played.frames[number]) for number in played.game.stills]))
    return [*names, "playground.gif"]


def _colours(played: Played) -> dict[Path, int]:
    """A number for every cohort that is ever drawn, in order of appearance: it keeps its colour."""
    paths = [path for number in sorted(played.frames) for path in played.frames[number].cohorts]
    return {path: i for i, path in enumerate(dict.fromkeys(paths))}


class _Board:
    """Axes that are drawn once, and every frame on top of them."""

    def __init__(self, played: Played, dpi: int) -> None:
        self._points, self._look = played.planted.points, _colours(played)
        self._figure: Any = Figure(figsize=(6.4, 5.4), dpi=dpi)
        canvas: Any = FigureCanvasAgg(self._figure)
        self._figure.subplots_adjust(left=0.1, right=0.97, top=0.93, bottom=0.24)
        self._axes = self._figure.subplots()
        low, high = self._points.min(axis=0), self._points.max(axis=0)
        edge = 0.04 * np.maximum(high - low, 1e-9)
        self._axes.set(xlim=(low[0] - edge[0], high[0] + edge[0]), ylim=(low[1] - edge[1], high[1] + edge[1]))
        self._axes.set(xlabel="first coordinate of a client's update", ylabel="second coordinate")
        self._axes.spines[["top", "right"]].set_visible(False)
        canvas.draw()
        self._canvas, self._empty = canvas, canvas.copy_from_bbox(self._figure.bbox)

    def draw(self, frame: Frame) -> Image.Image:
        """The frame as a picture."""
        self._canvas.restore_region(self._empty)
        marks = [mark for i, path in enumerate(frame.cohorts) for mark in self._cohort(path, frame.home == i)]
        legend = self._figure.legend(loc="lower center", ncols=2, frameon=False, fontsize=9)
        self._axes.set_title(_title(frame))
        for artist in (*marks, self._axes.title, legend):
            self._figure.draw_artist(artist)
        for artist in (*marks, legend):
            artist.remove()
        return Image.fromarray(np.asarray(self._canvas.buffer_rgba())[:, :, :3].copy())

    def _cohort(self, path: Path, here: Bools) -> list[PathCollection]:
        """A cohort's clients, and a large mark at their mean."""
        if not here.any():
            return []
        number = self._look[path]
        colour, mark = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
        name = f"cohort {'.'.join(map(str, (0, *path)))}: {int(here.sum())} clients"
        points, middle = self._points[here], self._points[here].mean(axis=0)
        return [
            self._axes.scatter(
                points[:, 0], points[:, 1], 13, colour, marker=mark, alpha=0.6, linewidths=0, label=name
            ),
            self._axes.scatter(
                middle[0], middle[1], 190, colour, marker=mark, edgecolors="black", linewidths=1.6, zorder=3
            ),
        ]


def _title(frame: Frame) -> str:
    """Round, cohorts, and agreement with the planted centres."""
    n, scores = len(frame.cohorts), frame.scores
    words = f"Round {frame.round}: {n} cohort{'s' if n > 1 else ''}, ARI {scores['adjusted_rand_index']:.2f}"
    return f"{words}, nearest two merged {scores['adjusted_rand_index_merged']:.2f}"


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


def _gif(images: list[Image.Image]) -> bytes:
    """The pictures one after the other; the last one stands for longer."""
    plain = [image.quantize(colors=64) for image in images]
    out = io.BytesIO()
    times = [MS] * (len(plain) - 1) + [4 * MS]
    plain[0].save(out, format="GIF", save_all=True, append_images=plain[1:], duration=times, loop=0)
    return out.getvalue()
