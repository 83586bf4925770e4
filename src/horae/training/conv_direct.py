"""`direct.c`, compiled once per machine: convolutions of images with channels last."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from horae.training.compiling import compiled_library

SOURCE = Path(__file__).with_name("direct.c")
FLAGS = (  # the best that the compiler takes; what a loop carries from turn to turn would fill the registers
    ("-O3", "-march=native", "-mprefer-vector-width=512", "-fno-trapping-math", "-fno-predictive-commoning"),
    ("-O3", "-march=native", "-fno-trapping-math"),
    ("-O3",),
)
MOST = 2**16  # numbers of a kernel: beyond, torch's products are as quick where images are broad
BROAD = 8  # pixels of a row from which on an image is broad


Two = tuple[int, int]


class Shape(ctypes.Structure):
    """Images `(n, h, w, c)`, a kernel `(out, c, kh, kw)`, its steps, and the zeros around, fewer than kh and kw."""

    _fields_ = tuple((name, ctypes.c_int64) for name in ("n", "h", "w", "c", "out", "kh", "kw", "sh", "sw", "ph", "pw"))

    @classmethod
    def of(cls, x: Tensor, kernel: Tensor, stride: Two, padding: Two) -> Shape:
        """x `(n, h, w, c)`."""
        return cls(*x.shape, len(kernel), *kernel.shape[2:], *stride, *padding)

    @property
    def answer(self) -> tuple[int, int, int, int]:
        """The answer's shape."""
        high, wide = self.h + 2 * self.ph - self.kh, self.w + 2 * self.pw - self.kw
        return self.n, high // self.sh + 1, wide // self.sw + 1, self.out


@cache
def compiled() -> ctypes.CDLL | None:
    """The kernel, compiled if it was not yet; None where there is no compiler, or where it is not to be trusted."""
    library = _typed(compiled_library(SOURCE, FLAGS))
    return library if library is not None and _agrees(library) else None


def convolve(x: Tensor, kernel: Tensor, bias: Tensor | None, stride: Two, padding: Two, apart: bool = False) -> Tensor:
    """x `(n, h, w, c)`, kernel `(out, c, kh, kw)` -> `(n, h', w', out)`, all without gaps in memory.

    apart: each plane by itself, kernel `(c, 1, kh, kw)`.
    """
    shape = Shape.of(x, kernel, stride, padding)
    call, room = _call("convolve", shape, apart)
    out, added = torch.empty(shape.answer), None if bias is None else bias.data_ptr()
    call(ctypes.byref(shape), x.data_ptr(), kernel.data_ptr(), added, out.data_ptr(), room.data_ptr())
    return out


def convolve_back(
    back: Tensor, x: Tensor, kernel: Tensor, how: tuple[Two, Two, bool], slopes: Tensor, first: bool
) -> Tensor | None:
    """Fill the kernel's slopes from `back`, those of the answer; those of x, unless nobody asks for these.

    how: stride, padding and `apart`, as in `convolve`.
    """
    stride, padding, apart = how
    shape, found = Shape.of(x, kernel, stride, padding), None if first else torch.empty_like(x)
    call, room = _call("convolve_back", shape, apart)
    to = None if found is None else found.data_ptr()
    given = (x.data_ptr(), kernel.data_ptr(), back.data_ptr(), slopes.data_ptr(), to, room.data_ptr())
    call(ctypes.byref(shape), *given)
    return found


def _call(name: str, shape: Shape, apart: bool) -> tuple[Callable[..., None], Tensor]:
    """One of the library's functions, and the room that it needs."""
    library = compiled()
    assert library is not None  # whoever chose this path has looked
    room = library.room_apart if apart else library.room_of
    called = name.replace("convolve", "convolve_apart") if apart else name
    return getattr(library, called), torch.empty(room(ctypes.byref(shape)))


def _typed(library: ctypes.CDLL | None) -> ctypes.CDLL | None:
    if library is not None:
        for room in (library.room_of, library.room_apart):
            room.argtypes, room.restype = (ctypes.c_void_p,), ctypes.c_int64
        for there in (library.convolve, library.convolve_apart):
            there.argtypes, there.restype = (ctypes.c_void_p,) * 6, None
        for back in (library.convolve_back, library.convolve_apart_back):
            back.argtypes, back.restype = (ctypes.c_void_p,) * 7, None
    return library


def _agrees(library: ctypes.CDLL) -> bool:
    """A compiler may be wrong: 1, 2, 3 under taps of 1, 10, 100 with zeros around, and slopes of 1, 2, 4."""
    shape = Shape(1, 1, 3, 1, 1, 1, 3, 1, 1, 0, 1)
    x, taps, bias, g = (torch.tensor(row) for row in ([1.0, 2, 3], [1.0, 10, 100], [0.5], [1.0, 2, 4]))
    y, slopes, dx = torch.empty(3), torch.empty(3), torch.empty(3)
    room = torch.empty(library.room_of(ctypes.byref(shape)) or 1)
    library.convolve(ctypes.byref(shape), *(t.data_ptr() for t in (x, taps, bias, y, room)))
    library.convolve_back(ctypes.byref(shape), *(t.data_ptr() for t in (x, taps, g, slopes, dx, room)))
    right = y.tolist() == [210.5, 321.5, 32.5]  # 1·10 + 2·100; 1 + 2·10 + 3·100; 2 + 3·10
    right &= slopes.tolist() == [1 * 2 + 2 * 4, 1 * 1 + 2 * 2 + 3 * 4, 2 * 1 + 3 * 2]
    return right and dx.tolist() == [1 * 10 + 2 * 1, 1 * 100 + 2 * 10 + 4 * 1, 2 * 100 + 4 * 10]
