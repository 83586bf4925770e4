"""A guidance as a picture: how far clients move each layer's weights, what stays by which score, and where it lies."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from horae.explain.canvas import INK, LINE, OURS, PAPER, RIVAL, SOFT
from horae.explore.finding import Found
from horae.explore.maps import Map, maps_of, painted
from horae.pruning.common import floor_of, prunable, smallest
from horae.pure.anatomy import Tensor
from horae.types import Doubles, Floats

WIDTH, TOP, MAPS, FOOT = 1100, 132, 226, 40  # pixels
MOST, BINS, LONGEST = 24, 160, 26  # layers that are shown; columns of a distribution; letters of a name
BARS = ((OURS, 0.62, 0.3), (SOFT, 0.37, 0.13), (LINE, 0.19, 0.13))  # colour, middle and thickness in a row
_STYLE = {
    "font.size": 11, "text.color": INK, "text.parse_math": False, "figure.facecolor": PAPER, "axes.facecolor": PAPER,
    "axes.edgecolor": LINE, "axes.labelcolor": SOFT, "axes.axisbelow": True, "axes.spines.top": False,
    "axes.spines.right": False, "axes.spines.left": False, "xtick.color": LINE, "xtick.labelcolor": SOFT,
    "ytick.color": LINE, "ytick.labelcolor": SOFT, "xtick.major.size": 0, "ytick.major.size": 0, "grid.color": LINE,
}  # fmt: skip


def drawn(found: Found) -> bytes:
    """The picture as PNG, the same bytes for the same guidance."""
    tensors = [t for t in found.anatomy.tensors if prunable(found.anatomy)[t.part].any()]
    shown, maps = tensors[:MOST], maps_of(found)
    body = len(shown) * (110 if len(shown) < 3 else 84 if len(shown) < 8 else 60)
    height = TOP + body + FOOT + (MAPS if maps else 0)
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=144)
        FigureCanvasAgg(figure)
        _title(figure, found, height, len(tensors) - len(shown))
        low, tall = (height - TOP - body) / height, body / height
        _ridges(figure.add_axes((0.16, low, 0.46, tall)), found, shown)
        _bars(figure.add_axes((0.665, low, 0.3, tall)), found, shown)
        _maps(figure, found, maps, height)
        out = io.BytesIO()
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def modes(found: Found) -> tuple[str, str, str]:
    """The score in use, and two to see it beside."""
    own = found.flip.mode
    rest = [mode for mode in ("paper", "square", "weighted") if mode != own]
    return own, rest[0], rest[1]


def cut(found: Found) -> float:
    """The highest g that goes where g alone decides."""
    may, square = prunable(found.anatomy), found.guidance.square
    gone = square[smallest(square, floor_of(found.flip.threshold, int(may.sum())), may)]
    return float(gone.max(initial=0.0))


def label(tensor: Tensor) -> str:
    """A layer's name and shape for people, below each other.

    >>> label(Tensor("3.weight", (10, 64), 0))
    '3\\n10×64'
    """
    name = tensor.name.removesuffix(".weight")
    return f"{name if len(name) <= LONGEST else '…' + name[1 - LONGEST :]}\n{'×'.join(map(str, tensor.shape))}"


def _title(figure: Figure, found: Found, height: int, left_out: int) -> None:
    facts = found.facts
    figure.text(0.02, 1 - 18 / height, f"{facts['name']}: what {found.guidance.n} explorers found", va="top",
                fontsize=15, fontweight="bold")  # fmt: skip
    words = f"{facts['model']}, seed {facts['seed']}; {found.flip.threshold:.0%} of {facts['prunable']:,} weights go"
    words += f", by the score “{found.flip.mode}”"
    words += f"; {left_out} more layers are in guidance.json" if left_out > 0 else ""
    figure.text(0.02, 1 - 46 / height, words, va="top", color=SOFT)
    own, *others = modes(found)
    handles: list[Any] = [Patch(color=OURS, label="stay"), Patch(color=RIVAL, alpha=0.55, label="go")]
    if (edge := cut(found)) > 0:
        handles.append(Line2D([], [], color=INK, linestyle=(0, (2, 2)), linewidth=1.2,
                              label=f"cut of “square”: g = {edge:.1e}"))  # fmt: skip
    place = {"frameon": False, "loc": "upper left", "borderaxespad": 0, "handlelength": 1.4, "ncol": 3}
    box = {"bbox_transform": figure.transFigure, "fontsize": 10.5, "columnspacing": 1.4}
    figure.text(0.16, 1 - 80 / height, "g, how far clients move a weight, squared (log)", va="top", fontweight="bold")
    figure.text(0.665, 1 - 80 / height, "share of a layer that stays, by score", va="top", fontweight="bold")
    figure.add_artist(_legend(figure, handles, (0.16, 1 - 102 / height), place | box))
    bars = [Patch(color=colour, label=name) for name, colour in zip((own, *others), (OURS, SOFT, LINE), strict=True)]
    figure.add_artist(_legend(figure, bars, (0.665, 1 - 102 / height), place | box))


def _legend(figure: Figure, handles: Sequence[Any], at: tuple[float, float], how: dict[str, Any]) -> Any:
    return figure.legend(handles=list(handles), bbox_to_anchor=at, **how)


def _ridges(axes: Axes, found: Found, shown: Sequence[Tensor]) -> None:
    """Each layer's distribution of log10 g, those that stay below those that go; 0 has no logarithm and is told."""
    square, keep = found.guidance.square, found.keep[found.flip.mode]
    moved = np.concatenate([square[t.part][square[t.part] > 0] for t in shown])
    ends = np.log10(np.quantile(moved, (0.001, 1))) if moved.size else np.array([-1.0, 0.0])
    edges = np.linspace(ends[0] - 0.3, ends[1] + 0.3, BINS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    for row, tensor in enumerate(shown):
        g, stays, base = square[tensor.part], keep[tensor.part], len(shown) - 1.0 - row
        low, all_ = (_smooth(g[(g > 0) & which], edges) for which in (stays, np.ones_like(stays)))
        scale = 0.82 / max(float(all_.max()), 1e-12)
        axes.fill_between(middles, base, base + scale * low, color=OURS, linewidth=0)
        axes.fill_between(middles, base + scale * low, base + scale * all_, color=RIVAL, alpha=0.55, linewidth=0)
        axes.plot(middles, base + scale * all_, color=INK, linewidth=0.7)
        axes.axhline(base, color=LINE, linewidth=0.8)
        if (still := float((g == 0).mean())) > 0:
            axes.text(0.005, base + 0.62, f"{still:.0%} at 0", transform=axes.get_yaxis_transform(), color=SOFT,
                      fontsize=9.5)  # fmt: skip
    if (edge := cut(found)) > 0:
        axes.axvline(np.log10(edge), color=INK, linestyle=(0, (2, 2)), linewidth=1.2)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, len(shown))
    axes.set_yticks([len(shown) - 0.62 - row for row in range(len(shown))], [label(t) for t in shown], color=INK,
                    fontsize=9.5)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"1e{value:.0f}")


def _smooth(g: Floats, edges: Doubles) -> Doubles:
    """Counts by column, blurred a little."""
    counts = np.histogram(np.clip(np.log10(g), edges[0], edges[-1]), edges)[0].astype(np.float64)
    bell = np.exp(-0.5 * (np.arange(-6, 7) / 2.0) ** 2)
    return np.convolve(counts, bell / bell.sum(), mode="same")


def _bars(axes: Axes, found: Found, shown: Sequence[Tensor]) -> None:
    """The share of each layer that stays: by the score in use, and by two others."""
    for row, tensor in enumerate(shown):
        base = len(shown) - 1.0 - row
        for mode, (colour, at, thick) in zip(modes(found), BARS, strict=True):
            share = float(found.keep[mode][tensor.part].mean())
            axes.barh(base + at, share, thick, color=colour)
            if mode == found.flip.mode:
                axes.text(share + 0.012, base + at, f"{share:.0%}", va="center", fontsize=10,
                          bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5})  # fmt: skip
        axes.axhline(base, color=LINE, linewidth=0.8)
    axes.axvline(1 - found.flip.threshold, color=INK, linestyle=(0, (1, 2)), linewidth=1)
    axes.set_xlim(0, 1.1)
    axes.set_ylim(0, len(shown))
    axes.set_yticks([])
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])


def _maps(figure: Figure, found: Found, maps: Sequence[Map], height: int) -> None:
    """Maps side by side at the foot, each with its own scale."""
    side, gap = 168, 44
    left = 24.0
    for each in maps:
        rows, columns = each.values.shape
        wide = min(side * columns / rows, 2.0 * side)
        if left + wide > WIDTH - 16:
            break
        axes = figure.add_axes((left / WIDTH, 26 / height, wide / WIDTH, side / height))
        painted(axes, each)
        axes.set_title(each.title, loc="left", fontsize=10, color=SOFT)
        left += wide + gap
