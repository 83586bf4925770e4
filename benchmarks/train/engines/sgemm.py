"""What the machine can do at that moment: matrix products on one thread. `python -m benchmarks.train.engines.sgemm`"""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.train.wire import Wire

SIDE, TIMES = 1024, 4
GFLOP = TIMES * 2 * SIDE**3 / 1e9


class Sgemm:
    """Four products of 1024x1024 matrices of float32."""

    def __init__(self) -> None:
        self.a, self.b, self.out = (torch.rand(SIDE, SIDE) for _ in range(3))

    def round(self) -> float:
        """Seconds of all four."""
        started = time.perf_counter()
        for _ in range(TIMES):
            torch.mm(self.a, self.b, out=self.out)
        return time.perf_counter() - started

    def params(self) -> np.ndarray:
        """Nothing that could be compared."""
        return np.zeros(0, np.float32)


def main() -> None:
    """Answer the harness."""
    wire = Wire()
    torch.set_num_threads(1)
    engine = Sgemm()
    wire.ready(torch=torch.__version__)
    wire.obey(engine)


if __name__ == "__main__":
    main()
