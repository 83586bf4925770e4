"""The networks an experiment can name. A new one is a frozen dataclass here and one line in MODELS.

From Python, anything with `build(shape, classes) -> nn.Module` will do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import nn

from horae.errors import ConfigError, HoraeError, brief, one_line, require
from horae.pure.streams import stream
from horae.training.layout import Layout

MOST_PARAMS, MOST_LAYERS = 2**31, 1000


class Model(Protocol):
    """A network's hyper-parameters."""

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """A fresh module that maps samples `(n, *shape)` to logits `(n, classes)`."""


@dataclass(frozen=True)
class Logistic:
    """Multinomial logistic regression: logits = W x + b."""

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """One linear layer over the flattened sample."""
        _afford("the samples", (math.prod(shape) + 1) * classes)
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), classes))


@dataclass(frozen=True)
class Mlp:
    """A multi-layer perceptron with ReLU.

    hidden: the widths of its hidden layers, from the input on.
    """

    hidden: tuple[int, ...] = (64,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", _widths("hidden", self.hidden))

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Linear layers over the flattened sample, a ReLU after each but the last."""
        widths = (math.prod(shape), *self.hidden)
        _afford("model.hidden", sum((a + 1) * b for a, b in pairwise((*widths, classes))))
        hidden = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(widths[-1], classes))


@dataclass(frozen=True)
class Cnn:
    """A small convolutional network for images `(h, w)` or `(c, h, w)`.

    Each stage is a 3x3 convolution, GroupNorm, 2x2 max-pool and ReLU; one linear layer ends it.

    channels: the width of each stage, which also halves the image. groups: of each GroupNorm; it divides every width.

    GroupNorm and not BatchNorm: its statistics do not mix samples, so that clients that differ share nothing but
    weights (Hsieh et al., ICML 2020).
    """

    channels: tuple[int, ...] = (16, 32)
    groups: int = 4

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", _widths("channels", self.channels))
        require(bool(self.channels), "model.channels", "name at least one stage", self.channels)
        require(_whole(self.groups), "model.groups", "be a whole number >= 1", self.groups)
        fits = all(width % self.groups == 0 for width in self.channels)
        require(fits, "model.groups", f"divide each of model.channels {brief(self.channels)}", self.groups)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """The stages, then one linear layer. Images must be at least 2**stages pixels high and wide."""
        require(
            len(shape) in (2, 3), "the sample shape", "be (h, w) or (c, h, w) for a cnn", shape, "use mlp or logistic"
        )
        planes, (height, width) = (shape[0] if len(shape) == 3 else 1), shape[-2:]
        shrink = 2 ** len(self.channels)
        small = f"have at most {int(math.log2(min(height, width)))} stages for {height}x{width} images"
        require(min(height, width) >= shrink, "model.channels", small, self.channels)
        pixels = (height // shrink) * (width // shrink)
        kernels = sum((9 * a + 3) * b for a, b in pairwise((planes, *self.channels)))
        _afford("model.channels", kernels + (self.channels[-1] * pixels + 1) * classes)
        lift = [nn.Unflatten(1, (1, height))] if len(shape) == 2 else []
        stages = [layer for a, b in pairwise((planes, *self.channels)) for layer in self._stage(a, b)]
        return nn.Sequential(*lift, *stages, nn.Flatten(), nn.Linear(self.channels[-1] * pixels, classes))

    def _stage(self, planes: int, width: int) -> tuple[nn.Module, ...]:
        # Pool before ReLU: the two commute, and the ReLU then costs a quarter.
        return (
            nn.Conv2d(planes, width, 3, padding=1),
            nn.GroupNorm(self.groups, width),
            nn.MaxPool2d(2),
            nn.ReLU(),
        )


MODELS = {"logistic": Logistic, "mlp": Mlp, "cnn": Cnn}


def initial(model: Model, shape: tuple[int, ...], classes: int, seed: int) -> nn.Module:
    """The module every arm of an experiment starts from: torch's own initialisation, a function of the seed alone.

    torch's global random state is left as it was.
    """
    require(_whole(classes), "the number of classes", "be a whole number >= 1", classes)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(stream(seed, "model").integers(2**63)))
        return model.build(shape, classes)


def check_module(module: nn.Module, shape: tuple[int, ...], classes: int) -> None:
    """Refuse a module that cannot be trained on samples of this shape: raises ConfigError. It stays as it was."""
    modes = {part: part.training for part in module.modules()}
    remedy = "choose another model, or change the samples' shape"
    try:
        n_params = Layout.of_params(module).size
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            answer = module.eval()(torch.zeros(1, *shape))
    except HoraeError:
        raise
    except Exception as error:  # whatever torch or somebody else's layer has to say
        raise ConfigError(f"model should take samples of shape {shape}: {one_line(error, 120)}; {remedy}") from None
    finally:
        for part, mode in modes.items():
            part.training = mode
    require(n_params > 0, "model", "have a parameter to train", 0, "set requires_grad")
    found = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
    fits = isinstance(found, tuple) and len(found) == 2 and found[0] == 1 and found[1] >= classes
    require(fits, "model", f"answer one sample with at least {classes} numbers, one per class: (1, {classes})", found)


def _afford(field: str, n_params: int) -> None:
    """Refuse a network that no memory holds before it is made."""
    require(n_params <= MOST_PARAMS, field, f"make at most {MOST_PARAMS:,} parameters", n_params, "make it smaller")


def _whole(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def _widths(field: str, widths: object) -> tuple[int, ...]:
    """Widths as a tuple: a list is what TOML has."""
    ok = isinstance(widths, list | tuple) and all(_whole(width) for width in widths)
    require(ok, f"model.{field}", "be a list of whole numbers >= 1", widths)
    few = isinstance(widths, list | tuple) and len(widths) <= MOST_LAYERS
    require(few, f"model.{field}", f"name at most {MOST_LAYERS} layers", widths)
    return tuple(widths) if isinstance(widths, list | tuple) else ()
