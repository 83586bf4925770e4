"""Convolutions by `direct.c` beside torch's own, one thread: `python -m benchmarks.train.kernels`.

Milliseconds of a batch of 20, there and back, each the least of nine; images have their channels last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

from horae.training.conv_direct import convolve, convolve_back

SHAPES = (  # pixels of a side, planes, planes of the answer, taps of a side, step
    *((28, 1, 16, 5, 1), (28, 1, 32, 5, 1), (14, 16, 32, 5, 1), (14, 32, 64, 5, 1), (14, 16, 36, 3, 1)),
    *((28, 64, 64, 3, 1), (14, 128, 128, 3, 1), (7, 256, 256, 3, 1), (4, 512, 512, 3, 1)),
    *((7, 64, 64, 3, 1), (7, 64, 128, 3, 2), (4, 128, 128, 3, 1), (4, 128, 256, 3, 2), (2, 256, 256, 3, 1)),
)
BATCH, TIMES = 20, 9


def least_ms(work: Callable[[], Any]) -> float:
    """Milliseconds of the quickest of some calls."""
    best = float("inf")
    for _ in range(TIMES):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return 1e3 * best


@torch.inference_mode()
def main() -> None:
    """A line for each shape."""
    torch.set_num_threads(1)
    print(f"{'image':>12} {'kernel':>16} {'there: ours':>12} {'torch':>8} {'back: ours':>12} {'torch':>8}")
    for side, c, out, taps, step in SHAPES:
        x, kernel, around = torch.randn(BATCH, side, side, c), torch.randn(out, c, taps, taps), (taps // 2, taps // 2)
        images, stride, slopes = x.permute(0, 3, 1, 2), (step, step), torch.empty_like(kernel)
        back = torch.randn_like(convolve(x, kernel, None, stride, around))
        how, first = (stride, around, (1, 1), False, (0, 0), 1), c == 1
        given, asked = (back.permute(0, 3, 1, 2), images, kernel, None), (not first, True, False)
        times = (
            least_ms(lambda: convolve(x, kernel, None, stride, around)),  # noqa: B023
            least_ms(lambda: torch.ops.aten.convolution(images, kernel, None, *how)),  # noqa: B023
            least_ms(lambda: convolve_back(back, x, kernel, (stride, around, False), slopes, first)),  # noqa: B023
            least_ms(lambda: torch.ops.aten.convolution_backward(*given, *how, asked)),  # noqa: B023
        )
        title = f"{side}x{side}x{c:<4} {f'{taps}x{taps} to {out}' + (', by 2' if step == 2 else ''):>16}"
        print(f"{title} {times[0]:12.3f} {times[1]:8.3f} {times[2]:12.3f} {times[3]:8.3f}")


if __name__ == "__main__":
    main()
