"""The gradients of many clients' losses at once, by torch.func; and which modules that is right for."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from horae.errors import one_line
from horae.training import images
from horae.training.samples import Samples
from horae.training.tasks import Task

ALIKE = 1e-3  # how far, relatively, float32 gradients of the same loss may differ
Step = Callable[..., tuple[dict[str, Tensor], Tensor]]


@dataclass(frozen=True)
class Loss:
    """One client's loss of a step, as a function of its parameters.

        Σ_s share_s loss_s,   share_s = asked_s / Σ asked      (or what the sample counts, if weights are given)

    weighted: shares are given. bf16: the module's own arithmetic is bfloat16 where autocast says so, weights, losses
    and sums are float32. Padding has valid 0 and share 0.
    """

    module: nn.Module
    task: Task
    weighted: bool
    bf16: bool = False

    def __call__(
        self, params: dict[str, Tensor], held: dict[str, Tensor], x: Tensor, y: Tensor, share: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The loss, and the losses of its samples summed. x, y `(batch, ...)`; share, valid `(batch,)`."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16, cache_enabled=False):
            out = functional_call(self.module, {**params, **held}, (x,))
        each = self.task.each(out.float(), y)
        if self.weighted:
            return each @ share, (each * valid).sum().detach()
        asked = self.task.asked(y)  # ones on the processor, where every sample asks for one
        counted = asked * valid if asked.device == valid.device else valid
        mean = (each * counted).sum() / counted.sum().clamp_min(1)
        return mean, (mean * valid.sum()).detach()


def step_of(loss: Loss, *, compiled: bool = False) -> Step:
    """Gradients `(clients, ...)` by name and summed losses `(clients,)`, of clients side by side; they share `held`.

    compiled: by torch.compile with CUDA graphs.
    """
    step: Step = vmap(grad(loss, has_aux=True), in_dims=(0, None, 0, 0, 0, 0))
    return torch.compile(step, mode="reduce-overhead", dynamic=False) if compiled else step


def plain_copy(module: nn.Module, device: torch.device) -> nn.Module:
    """The module on a device, without what turns its images channels last, which vmap cannot follow."""
    module = copy.deepcopy(module).train()
    for part in module.modules():
        for key, hook in list(part._forward_pre_hooks.items()):
            if hook is images._turned:
                del part._forward_pre_hooks[key]
    return module.to(device)


def refused(module: nn.Module, samples: Samples, task: Task) -> str:
    """Why the clients of this module cannot train side by side; "" if they can.

    Found by trying, on two made-up samples. A sample that counts nothing must change nothing, since that is how clients
    with fewer samples are filled up: BatchNorm is out. So is what draws (dropout), writes into itself, or is no faster
    together.
    """
    if any(isinstance(part, _BatchNorm) for part in module.modules()):
        return "it has BatchNorm"
    module = plain_copy(module, torch.device("cpu"))
    params = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    x, y = _made_up(samples)
    share = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message="There is a performance drop")
            both = {name: torch.stack([p, p]) for name, p in params.items()}
            step, one = step_of(Loss(module, task, weighted=True)), Loss(module, task, weighted=True)
            found, _ = step(both, {}, torch.stack([x, x.flip(0)]), torch.stack([y, y.flip(0)]), share, share)
            for i in range(2):
                alone, _ = grad(one, has_aux=True)(params, {}, x[i : i + 1], y[i : i + 1], share[0, :1], share[0, :1])
                if not all(_near(found[name][i], alone[name]) for name in params):
                    return "a sample's gradient depends on the others of its batch"
    except Exception as error:  # whatever torch has to say of somebody's layers
        asks = "it asks for values of tensors on the way (.item(), if)"
        return asks if ".item()" in str(error) else one_line(error, 100)
    return ""


def _made_up(samples: Samples) -> tuple[Tensor, Tensor]:
    """Two samples unlike each other, with the truth 0."""
    example, truth = samples.example, samples.truth
    y = torch.cat([truth, truth])
    if samples.tokens:
        return torch.cat([example, example + 1]), y
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, *example.shape[1:], generator=generator), y


def _near(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).norm() <= ALIKE * other.norm() + 1e-6)
