"""Normalisation layers: GroupNorm, or a BatchNorm that can train on whatever a client has."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm

from horae.errors import require
from horae.training.models.limits import one_of, whole

NormName = Literal["group", "batch"]


class SteadyBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm that normalises by its running statistics where a batch has one value per channel.

    One value has no variance: plain BatchNorm stops there. The running statistics stay as they are then.
    """

    def forward(self, input: Tensor) -> Tensor:
        """`(n, c, h, w)` to the same shape."""
        if self.training and input.numel() == input.shape[1]:
            return batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(input)


def check_norm(norm: object, groups: object, narrow: int) -> None:
    """Refuse fields of a model whose norms have widths that are all multiples of `narrow`."""
    one_of("norm", norm, NormName)
    require(whole(groups), "model.groups", "be a whole number >= 1", groups)
    fits = norm == "batch" or (isinstance(groups, int) and narrow % groups == 0)
    require(fits, "model.groups", f"divide {narrow}, as every width of this model does", groups)


def norm_layer(norm: NormName, groups: int, width: int) -> nn.Module:
    """The norm of `width` channels; both kinds have a weight and a bias for each."""
    return nn.GroupNorm(groups, width) if norm == "group" else SteadyBatchNorm2d(width)


def check_maps(module: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The module, unless one of its groups has a single number: its answer would not depend on the image."""
    should = f"leave more than one number to a group; images of {shape} shrink to a pixel"

    def look(part: nn.Module, given: tuple[Tensor]) -> None:
        assert isinstance(part, nn.GroupNorm)
        require(given[0].numel() > part.num_groups, "model.groups", should, part.num_groups, "lower it")

    hooks = [part.register_forward_pre_hook(look) for part in module.modules() if isinstance(part, nn.GroupNorm)]
    with torch.no_grad():
        module.eval()(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    return module.train()
