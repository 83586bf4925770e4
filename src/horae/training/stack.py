"""Models that are a stack of linear layers with ReLUs between: logistic regression and perceptrons."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Affine:
    """One linear layer: the names of its tensors, and whether a ReLU follows."""

    weight: str
    bias: str | None
    relu: bool


def affine_stack(module: nn.Module, shape: tuple[int, ...]) -> tuple[Affine, ...] | None:
    """The module as linear layers with ReLUs, or None if it holds anything else (or shares or freezes a layer)."""
    if not isinstance(module, nn.Sequential) or len(set(module)) < len(module):
        return None
    if any(not p.requires_grad for p in module.parameters()):
        return None
    layers: list[Affine] = []
    flat = len(shape) == 1
    for name, layer in module.named_children():
        if type(layer) is nn.Linear and flat:
            layers.append(Affine(f"{name}.weight", None if layer.bias is None else f"{name}.bias", relu=False))
        elif type(layer) is nn.ReLU and layers:
            layers[-1] = Affine(layers[-1].weight, layers[-1].bias, relu=True)
        elif type(layer) is nn.Flatten and (layer.start_dim, layer.end_dim) == (1, -1):
            flat = True
        else:
            return None
    return tuple(layers) or None
