"""Where each tensor of a module lies in a flat float32 vector."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn

from horae.errors import require
from horae.types import Floats


@dataclass(frozen=True)
class Slot:
    """One tensor's place: `vector[start : start + size]`, in its shape."""

    name: str
    shape: tuple[int, ...]
    start: int
    size: int


@dataclass(frozen=True)
class Layout:
    """The places of some of a module's tensors, in order and without gaps."""

    slots: tuple[Slot, ...]

    @classmethod
    def of_params(cls, module: nn.Module) -> Layout:
        """Its trainable parameters, in `named_parameters` order; frozen ones stay in the module."""
        return cls._of((name, tensor) for name, tensor in module.named_parameters() if tensor.requires_grad)

    @classmethod
    def of_buffers(cls, module: nn.Module) -> Layout:
        """Its float buffers, in `named_buffers` order; counters (num_batches_tracked) stay in the module."""
        return cls._of((name, tensor) for name, tensor in module.named_buffers() if tensor.is_floating_point())

    @classmethod
    def _of(cls, named: Iterable[tuple[str, Tensor]]) -> Layout:
        tensors = list(named)
        for name, tensor in tensors:
            require(
                tensor.dtype == torch.float32, f"the model's {name}", "be float32", tensor.dtype, "call module.float()"
            )
        ends = accumulate((tensor.numel() for _, tensor in tensors), initial=0)
        places = zip(tensors, ends, strict=False)
        return cls(tuple(Slot(name, tuple(t.shape), start, t.numel()) for (name, t), start in places))

    @property
    def size(self) -> int:
        """The length of the vector."""
        return sum(slot.size for slot in self.slots)

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors' names, in order."""
        return tuple(slot.name for slot in self.slots)

    def flatten(self, module: nn.Module) -> Floats:
        """A copy of the module's tensors as one vector `(size,)`."""
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        flat = [tensors[slot.name].detach().reshape(-1) for slot in self.slots]
        vector: Floats = torch.cat([torch.empty(0), *flat]).numpy()
        return vector

    def views(self, vector: Tensor) -> dict[str, Tensor]:
        """The tensors `(..., *shape)` inside `vector (..., size)`, by name. They share its memory."""
        lead = vector.shape[:-1]
        return {s.name: vector[..., s.start : s.start + s.size].view(*lead, *s.shape) for s in self.slots}
