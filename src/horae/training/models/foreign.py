"""Networks of somebody else: a function of yours, torchvision's models, timm's."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from horae.errors import ConfigError, HoraeError, brief, one_line, require
from horae.settings import imported
from horae.training.models.limits import images


@dataclass(frozen=True)
class Module:
    """Your own network: what `path`, "package.module:name", gives when it is called with (shape, classes).

    path: a function, or a subclass of nn.Module.
    """

    path: str = ""

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Whatever comes of the call, which must be an nn.Module."""
        named = isinstance(self.path, str) and ":" in self.path
        require(named, "model.path", "look like package.module:name", self.path)
        maker = imported(self.path, "model.path")
        remedy = "name a function of (shape, classes), or a class"
        require(callable(maker), "model.path", "name something that can be called", self.path, remedy)
        return _made(f"model.path {brief(self.path)}", maker, (shape, classes), {})


@dataclass(frozen=True)
class Torchvision:
    """A classifier of torchvision, with weights that are drawn and not downloaded.

    model: as torchvision.models.get_model knows it. options: more arguments, each like "width_mult=0.5". Images of one
    channel are repeated to three. Its BatchNorm, unlike ours, refuses a batch of one value per channel.
    """

    model: str = "resnet18"
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", _texts(self.options))

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """For images of one or three channels."""
        planes, lift = images(shape, "torchvision")
        require(planes in (1, 3), "the sample shape", "have 1 or 3 channels for torchvision", shape, "use timm")
        options = {"weights": None, **_options(self.options), "num_classes": classes}
        package = _package("torchvision", "torchvision.models")
        net = _made(f"torchvision's {brief(self.model)}", package.get_model, (self.model,), options)
        return nn.Sequential(*lift, *([Three()] if planes == 1 else []), net)


@dataclass(frozen=True)
class Timm:
    """A classifier of timm, with weights that are drawn and not downloaded.

    model: as timm.create_model knows it. options: more arguments, each like "drop_rate=0.1". Its BatchNorm, unlike
    ours, refuses a batch of one value per channel.
    """

    model: str = "resnet18"
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", _texts(self.options))

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """For images of any number of channels."""
        planes, lift = images(shape, "timm")
        options = {"pretrained": False, **_options(self.options), "num_classes": classes, "in_chans": planes}
        net = _made(f"timm's {brief(self.model)}", _package("timm", "timm").create_model, (self.model,), options)
        return nn.Sequential(*lift, net)


class Three(nn.Module):
    """One channel as three that are equal."""

    def forward(self, x: Tensor) -> Tensor:
        """`(n, 1, h, w)` to `(n, 3, h, w)`."""
        return x.expand(-1, 3, -1, -1)


def _made(what: str, maker: Callable[..., Any], given: tuple[Any, ...], options: dict[str, Any]) -> nn.Module:
    """What the maker makes. Errors: ConfigError, whatever it says."""
    try:
        module = maker(*given, **options)
    except HoraeError:
        raise
    except Exception as error:
        why = one_line(f"{type(error).__name__}: {error}", 120)
        raise ConfigError(f"{what} cannot be made ({why}); check its name and arguments") from None
    require(isinstance(module, nn.Module), what, "make an nn.Module", type(module).__name__)
    return module  # type: ignore[no-any-return]


def _package(name: str, module: str) -> Any:
    """The package, or one line that says what is missing."""
    try:
        return importlib.import_module(module)
    except Exception as error:  # torchvision raises RuntimeError where it does not fit torch
        why = one_line(f"{type(error).__name__}: {error}", 80)
        remedy = f'install a {name} that fits this torch ("pip install {name}"), or use resnet18 or module'
        raise ConfigError(f"model.name {name!r} needs {name}, which cannot be imported ({why}); {remedy}") from None


def _texts(options: object) -> tuple[str, ...]:
    """Options as a tuple: a list is what TOML has."""
    ok = isinstance(options, list | tuple) and all(isinstance(option, str) and "=" in option for option in options)
    require(ok, "model.options", 'be a list of texts like "width_mult=0.5"', options)
    return tuple(options) if isinstance(options, list | tuple) else ()


def _options(options: tuple[str, ...]) -> dict[str, Any]:
    """Arguments by name; a value that is no TOML is a text."""
    found = {}
    for option in options:
        key, _, value = option.partition("=")
        try:
            found[key.strip()] = tomllib.loads(f"x = {value}")["x"]
        except (ValueError, RecursionError):
            found[key.strip()] = value.strip()
    return found
