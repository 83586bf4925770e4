"""A population as a picture: some clients' samples, labels by client, sizes. matplotlib is loaded when it is drawn."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from horae.files import write_whole
from horae.population.base import Population
from horae.population.heterogeneity import label_counts, some_clients, total_variation
from horae.population.rows import Ragged
from horae.population.shifting.common import sides
from horae.pure.streams import stream
from horae.types import Ints

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, LINE, OURS, RIVAL = "#1d2329", "#5b6570", "#d9dee3", "#0b6e99", "#c8553d"
SHOWN, EACH, ROWS = 6, 16, 120  # clients whose samples are shown, samples of each, clients in the map of labels
Read = Callable[[NDArray[Any]], str]


def picture(people: Population, file: Path, seed: int = 0, read: Read | None = None) -> None:
    """Write the picture as PNG, the same for the same population and seed. read: a sample as text. Errors: RunError."""
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style = {"font.size": 10, "text.color": INK, "axes.edgecolor": LINE, "axes.labelcolor": SOFT}
    style |= {"xtick.color": SOFT, "ytick.color": SOFT, "text.parse_math": False}
    clients = some_clients(people, seed)
    train, test = (Ragged.of(held.rows(clients)) for held in (people.train, people.test))
    with matplotlib.style.context(["default", style]):
        figure = Figure(figsize=(13, 8.2), dpi=110)
        FigureCanvasAgg(figure)
        title = f"{people.name}: {people.clients:,} clients, {people.task}"
        figure.text(0.02, 0.975, title, va="top", fontsize=14, fontweight="bold")
        figure.text(0.02, 0.937, textwrap.shorten(people.about, 170), va="top", color=SOFT)
        _samples(figure, people, clients, train, seed, read)
        _labels(figure.add_axes((0.07, 0.07, 0.47, 0.33)), people, train)
        _sizes(figure.add_axes((0.66, 0.07, 0.32, 0.33)), train.sizes, test.sizes)
        out = io.BytesIO()
        figure.savefig(out, format="png", metadata={"Software": None})
    write_whole(file, out.getvalue())


def _samples(
    figure: Any, people: Population, clients: Ints, train: Ragged, seed: int, read: Read | None
) -> None:  # fmt: skip
    """Some clients, from those with different groups first, and some samples of each."""
    figure.text(0.02, 0.893, "Training samples of some clients, with their labels", va="top", fontweight="bold")
    kind = kind_of(people)
    for row, i in enumerate(_chosen(people, clients, seed)):
        group = int(np.asarray(people.groups[clients[i : i + 1]])[0])
        whose = f"client {clients[i]}" + (f"\ngroup {group}" if group >= 0 else "")
        top = 0.862 - 0.4 / SHOWN * row
        figure.text(0.02, top - 0.01, whose, va="top", color=SOFT, fontsize=9)
        own = stream(seed, "picture samples", int(clients[i])).permutation(train.row(int(i)))[:EACH]
        labels = [_label(people, int(sample)) for sample in own]
        across = EACH // 4 if kind == "curves" else 1
        for column in range(min(across, own.size)):
            width = 0.88 / across
            axes = figure.add_axes((0.1 + width * column, top - 0.058, width * 0.96, 0.058))
            if kind == "images":
                _images(axes, people.x[own], labels)
            elif kind == "curves":
                _curves(axes, people.x[own[column]], labels[column])
            else:
                axes.text(0, 0.9, _words(people, own, read), va="top", fontsize=9, family="monospace")
            axes.set_axis_off()


def kind_of(people: Population) -> str:
    """How a sample is shown: "text" for tokens; "images" where its sides are alike; "curves" for anything else."""
    shape = people.shape
    if people.x.dtype.kind in "iu" and people.scale is None:
        return "text"
    if len(shape) not in (2, 3):
        return "curves"
    h, w = shape[slice(*sides(shape))]
    return "images" if 1 / 4 < h / w < 4 and min(h, w) >= 4 else "curves"


def _chosen(people: Population, clients: Ints, seed: int) -> Ints:
    """Positions in `clients` of those that are shown, one of each group before a second of any."""
    order = stream(seed, "picture clients").permutation(clients.size)
    groups = np.asarray(people.groups[clients])[order]
    turn = np.array([np.sum(groups[:i] == group) for i, group in enumerate(groups[:400])])
    first = np.argsort(turn, kind="stable")[:SHOWN]
    return np.asarray(order[first[np.argsort(groups[first], kind="stable")]], np.int64)


def _label(people: Population, sample: int) -> str:
    y = people.y[sample]
    return f"{float(y):.3g}" if people.task == "regression" else str(int(np.ravel(y)[-1]))


def _images(axes: Axes, x: NDArray[Any], labels: list[str]) -> None:
    """Images side by side, each with its label on its right."""
    if x.ndim == 4:
        x = x if sides(x.shape[1:]) == (0, 2) else np.moveaxis(x, 1, -1)
        x = x if x.shape[-1] == 3 else x[..., 0]
    low, high = (0, 255) if x.dtype == np.uint8 else (float(x.min()), float(x.max()))
    grey = (x.astype(np.float64) - low) / max(high - low, 1e-9)
    h, w = grey.shape[1:3]
    step = round(1.5 * w)
    wall = np.ones((h, EACH * step, 3))
    for k, image in enumerate(grey):
        wall[:, k * step : k * step + w] = image if image.ndim == 3 else image[..., None]
        axes.text(k * step + 1.06 * w, h / 2, labels[k], va="center", fontsize=9)
    axes.imshow(wall, aspect="equal", interpolation="nearest")
    axes.set_anchor("W")


def _curves(axes: Axes, x: NDArray[Any], label: str) -> None:
    values = x.reshape(len(x), -1).astype(np.float64)
    if values.shape[1] > 12:
        values = values[:, :: values.shape[1] // 12]
    axes.plot(values, linewidth=0.9)
    axes.text(0.0, 1.0, label, transform=axes.transAxes, va="top", fontsize=9, color=INK)


def _words(people: Population, rows: Ints, read: Read | None) -> str:
    """Three samples in a line each."""
    lines = []
    for row in rows[:3]:
        x = people.x[row]
        text = read(x) if read is not None else " ".join(map(str, np.ravel(x)[np.ravel(x) != 0][:24]))
        label = "" if people.task == "next-token" else f"{_label(people, int(row))}: "
        lines.append(label + " ".join(text.split())[:118])
    return "\n".join(lines)


def _labels(axes: Axes, people: Population, train: Ragged) -> None:
    """Each client's mix of labels, those far from the common mix below."""
    counts = label_counts(people, train)
    far = np.argsort(total_variation(counts), kind="stable")
    rows = far[np.linspace(0, far.size - 1, min(ROWS, far.size)).astype(int)]
    mix = counts[rows] / np.maximum(counts[rows].sum(axis=1, keepdims=True), 1)
    seen = axes.imshow(
        mix, aspect="auto", cmap="Blues", interpolation="nearest", vmin=0, vmax=float(np.quantile(mix, 0.995)) or 1.0
    )
    what = {"regression": "tenth of the values", "next-token": "token"}.get(people.task, "label")
    axes.set_xlabel(what)
    axes.set_ylabel("clients, from like to unlike all")
    axes.set_yticks([])
    axes.set_title("Labels by client, share", loc="left", fontsize=10, fontweight="bold")
    axes.figure.colorbar(seen, ax=axes, fraction=0.03, pad=0.02)


def _sizes(axes: Axes, train: Ints, test: Ints) -> None:
    """Samples by client, from most to fewest."""
    order = np.argsort(-(train + test), kind="stable")
    x = np.arange(order.size) + 0.5
    axes.fill_between(x, 0, train[order], step="mid", color=OURS, linewidth=0)
    axes.fill_between(x, train[order], (train + test)[order], step="mid", color=RIVAL, linewidth=0)
    axes.set_title("Samples by client: training (blue), test (red)", loc="left", fontsize=10, fontweight="bold")
    axes.set_xlabel("clients, from most to fewest samples")
    if train.max() > 50 * max(int(np.median(train)), 1):
        axes.set_yscale("symlog")
        axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0)
