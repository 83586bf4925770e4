"""Where in a layer weights are moved: over the pixels of an image, or over a convolution's kernels."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod, sqrt

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from horae.explain.canvas import LINE, OURS, PAPER
from horae.explore.finding import Found
from horae.population.shifting.common import channels
from horae.pure.anatomy import Tensor
from horae.types import Doubles

TILES = 64  # kernels drawn one by one


@dataclass(frozen=True)
class Map:
    """Mean g as a picture. values `(rows, columns)`: NaN is nothing. top: what is blue; 0: the highest."""

    title: str
    values: Doubles
    top: float = 0.0


def maps_of(found: Found) -> list[Map]:
    """The first layer's pixels or kernels where samples are images, and the kernels of the convolutions after it."""
    weights = [t for t in found.anatomy.tensors if len(t.shape) > 1]
    out: list[Map] = []
    for i, tensor in enumerate(weights):
        g = found.guidance.square[tensor.part].reshape(tensor.shape).astype(np.float64)
        name = tensor.name.removesuffix(".weight")
        if i == 0 and found.shape is not None and len(tensor.shape) == 2 and tensor.shape[1] == prod(found.shape):
            stays = found.keep[found.flip.mode][tensor.part].reshape(tensor.shape).astype(np.float64)
            out.append(Map(f"{name}: mean g per input pixel", pixels(g, found.shape)))
            out.append(Map(f"{name}: share that stays", pixels(stays, found.shape), top=1.0))
        elif len(tensor.shape) == 4 and i == 0 and prod(tensor.shape[2:]) > 1:
            out.append(Map(f"{name}: mean g in each kernel{_some(tensor)}", tiles(g)))
        elif len(tensor.shape) == 4:
            out.append(Map(f"{name}: mean g per kernel, {tensor.shape[1]} in → {tensor.shape[0]} out", kernels(g)))
    return out[:4]


def pixels(g: Doubles, shape: tuple[int, ...]) -> Doubles:
    """Mean over the units that read a pixel, and over its colours. g `(units, pixels)`.

    >>> pixels(np.array([[1.0, 2.0, 3.0, 4.0], [3.0, 2.0, 1.0, 0.0]]), (2, 2))
    array([[2., 2.],
           [2., 2.]])
    """
    grid: Doubles = g.mean(axis=0).reshape(shape)
    where = channels(shape)
    return grid if where is None else np.asarray(grid.mean(axis=where), np.float64)


def kernels(g: Doubles) -> Doubles:
    """Mean over each kernel, the longer of inputs and outputs across. g `(out, in, h, w)`."""
    means: Doubles = g.mean(axis=(2, 3))
    return means.T if means.shape[0] >= means.shape[1] else means


def tiles(g: Doubles) -> Doubles:
    """Kernels beside each other, means over their inputs, a blank line between them. g `(out, in, h, w)`."""
    each = g[:TILES].mean(axis=1)
    n, h, w = each.shape
    across = ceil(sqrt(2 * n))
    wall = np.full((ceil(n / across) * (h + 1) - 1, across * (w + 1) - 1), np.nan)
    for i, kernel in enumerate(each):
        row, column = divmod(i, across)
        wall[row * (h + 1) : row * (h + 1) + h, column * (w + 1) : column * (w + 1) + w] = kernel
    return wall


def painted(axes: Axes, each: Map) -> None:
    """Draw one, from paper (0) to blue (its highest), with the highest said below."""
    shades = LinearSegmentedColormap.from_list("guidance", [_mixed(0.06), OURS]).with_extremes(bad=PAPER)
    top = each.top or float(np.nanmax(each.values)) or 1.0
    axes.imshow(each.values, cmap=shades, vmin=0, vmax=top, aspect="auto", interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(f"white 0, blue {top:.2g}", fontsize=9, loc="left")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _mixed(share: float) -> str:
    """A little of the line's colour in the paper's."""
    parts = [(int(PAPER[i : i + 2], 16), int(LINE[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round((1 - share) * a + share * b):02x}" for a, b in parts)


def _some(tensor: Tensor) -> str:
    return f" (first {TILES} of {tensor.shape[0]})" if tensor.shape[0] > TILES else ""
