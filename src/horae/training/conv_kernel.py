"""`conv.c`, compiled once per machine: of images with channels last GroupNorm, 2x2 max-pool and ReLU in one pass."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from horae.training.compiling import compiled_library

SOURCE = Path(__file__).with_name("conv.c")
FLAGS = (  # the best that the compiler takes
    ("-O3", "-march=native", "-mprefer-vector-width=512", "-fno-trapping-math"),
    ("-O3", "-march=native"),
    ("-O3",),
)


class Shape(ctypes.Structure):
    """Images `(n, h, w, c)`; groups: of a GroupNorm, 0 without one; relu: whether one follows the pool."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("n", "h", "w", "c", "groups", "relu")),
        ("eps", ctypes.c_double),
    )  # fmt: skip


@cache
def compiled() -> ctypes.CDLL | None:
    """The kernel, compiled if it was not yet; None where there is no compiler, or where it is not to be trusted."""
    library = _typed(compiled_library(SOURCE, FLAGS))
    return library if library is not None and _agrees(library) else None


def squeeze(
    x: Tensor, groups: int, norm: tuple[Tensor, Tensor] | None, eps: float, relu: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The norm's, the pool's and the ReLU's answer to x `(n, h, w, c)`, from where it came, and the norm's moments."""
    kernel = _kernel()
    n, h, w, c = x.shape
    shape = Shape(n, h, w, c, groups, relu, eps)
    out, pick = torch.empty(n, h // 2, w // 2, c), torch.empty(n, h // 2, w // 2, c, dtype=torch.int32)
    moments, room = torch.empty(n, groups, 2), torch.empty(2 * (w + 1) * c)
    weight, bias = (None, None) if norm is None else (norm[0].data_ptr(), norm[1].data_ptr())
    kernel.forward(
        ctypes.byref(shape), x.data_ptr(), weight, bias, out.data_ptr(), pick.data_ptr(), moments.data_ptr(),
        room.data_ptr(),
    )  # fmt: skip
    return out, pick, moments


def unsqueeze(
    back: Tensor, x: Tensor, pick: Tensor, moments: Tensor, weight: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Slopes of x, of the norm's weight and bias, and x's summed over pixels, from `back`, those of the answer."""
    n, h, w, c = x.shape
    shape = Shape(n, h, w, c, moments.shape[1], 0, 0.0)
    slopes, sums, room = torch.empty_like(x), torch.empty(3, c), torch.empty(5 * c)
    gamma, beta, bias = (row.data_ptr() for row in sums)
    _kernel().backward(
        ctypes.byref(shape), x.data_ptr(), pick.data_ptr(), moments.data_ptr(),
        None if weight is None else weight.data_ptr(), back.data_ptr(), slopes.data_ptr(), gamma, beta, bias,
        room.data_ptr(),
    )  # fmt: skip
    return slopes, sums[0], sums[1], sums[2]


def norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """GroupNorm's answer to x `(n, h, w, c)`, and its moments."""
    n, h, w, c = x.shape
    shape, out = Shape(n, h, w, c, groups, 0, eps), torch.empty_like(x)
    moments, room = torch.empty(n, groups, 2), torch.empty(2 * (w + 1) * c)
    given = (x, weight, bias, out, moments, room)
    _kernel().norm_forward(ctypes.byref(shape), *(tensor.data_ptr() for tensor in given))
    return out, moments


def norm_back(back: Tensor, x: Tensor, moments: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes of x, of the norm's weight and of its bias from `back`, those of the answer."""
    n, h, w, c = x.shape
    shape, slopes = Shape(n, h, w, c, moments.shape[1], 0, 0.0), torch.empty_like(x)
    sums, room = torch.empty(2, c), torch.empty(5 * c)
    given = (x, moments, weight, back, slopes, sums[0], sums[1], room)
    _kernel().norm_backward(ctypes.byref(shape), *(tensor.data_ptr() for tensor in given))
    return slopes, sums[0], sums[1]


def _kernel() -> ctypes.CDLL:
    kernel = compiled()
    assert kernel is not None  # whoever chose this path has looked
    return kernel


def _typed(library: ctypes.CDLL | None) -> ctypes.CDLL | None:
    if library is not None:
        library.forward.argtypes, library.forward.restype = (ctypes.c_void_p,) * 8, None
        library.backward.argtypes, library.backward.restype = (ctypes.c_void_p,) * 11, None
        library.norm_forward.argtypes, library.norm_forward.restype = (ctypes.c_void_p,) * 7, None
        library.norm_backward.argtypes, library.norm_backward.restype = (ctypes.c_void_p,) * 9, None
    return library


def _agrees(library: ctypes.CDLL) -> bool:
    """A compiler may be wrong: one image of four pixels, 1 and 2 above 5 and -4, and a slope of 3."""
    shape = Shape(1, 2, 2, 1, 1, 1, 0.0)
    x, out, pick, room = (
        torch.tensor([1.0, 2.0, 5.0, -4.0]),
        torch.empty(1),
        torch.empty(1, dtype=torch.int32),
        torch.empty(8),
    )
    moments, gamma, beta, slopes, sums = (
        torch.empty(2),
        torch.tensor([2.0]),
        torch.tensor([0.5]),
        torch.empty(4),
        torch.empty(3),
    )
    library.forward(ctypes.byref(shape), *(t.data_ptr() for t in (x, gamma, beta, out, pick, moments, room)))
    back = torch.tensor([3.0])
    at = [row.data_ptr() for row in sums]
    library.backward(
        ctypes.byref(shape), *(t.data_ptr() for t in (x, pick, moments, gamma, back, slopes)), *at, room.data_ptr()
    )
    z = (x - 1) / (x - 1).square().mean().sqrt()  # by hand: mean 1, variance 10.5
    expected = 6 / 10.5**0.5 * (torch.tensor([0.0, 0.0, 1.0, 0.0]) - 0.25 - z * z[2] / 4)
    right = torch.allclose(out, 2 * z[2:3] + 0.5) and int(pick[0]) == 2
    return (
        right
        and torch.allclose(slopes, expected, atol=1e-5)
        and torch.allclose(sums[:2], torch.stack([3 * z[2], back[0]]))
    )
