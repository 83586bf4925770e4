"""Where tensors lie: on a GPU if there is one and nobody objects, otherwise on the processor."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from horae.errors import require
from horae.training.plan import Training

CPU = torch.device("cpu")


def gpu() -> torch.device | None:
    """The GPU that torch sees, or None."""
    return torch.device("cuda") if torch.cuda.is_available() else None


def gpu_for(training: Training, *, near: bool = True) -> torch.device | None:
    """The GPU that this table asks for; None where the processor does the work.

    near: the round is trained by this process or those that it starts; an executor's workers elsewhere use none.
    Errors: ConfigError where one is insisted on and there is none.
    """
    if training.device == "cpu":
        return None
    found = gpu() if near else None
    there = found is not None or training.device == "auto"
    remedy = "torch sees no GPU here; use auto or cpu" if near else "with --pool every worker uses its processor"
    require(there, "training.device", "be there", training.device, remedy)
    return found


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """On a GPU: float32 without TF32, and algorithms that give the same bits again. Elsewhere nothing.

    Reading: where torch knows no such algorithm it takes another one; not yet measured on a GPU.
    """
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it when it begins
    before, tf32 = torch.are_deterministic_algorithms_enabled(), torch.backends.cuda.matmul.allow_tf32
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.backends.cudnn.flags(deterministic=True, benchmark=False, allow_tf32=False), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*deterministic.*")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cuda.matmul.allow_tf32 = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warned)
            torch.backends.cuda.matmul.allow_tf32 = tf32
