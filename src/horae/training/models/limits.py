"""What every model checks before it is made."""

from __future__ import annotations

from typing import Any, get_args

from torch import nn

from horae.errors import did_you_mean, require

MOST_PARAMS, MOST_LAYERS = 2**31, 1000


def afford(field: str, n_params: int) -> None:
    """Refuse a network that no memory holds before it is made."""
    require(n_params <= MOST_PARAMS, field, f"make at most {MOST_PARAMS:,} parameters", n_params, "make it smaller")


def whole(value: object) -> bool:
    """True for a whole number >= 1."""
    return isinstance(value, int) and value >= 1


def counts(model: object, *fields: str) -> None:
    """Refuse fields of a model that are no whole numbers >= 1."""
    for field in fields:
        value = getattr(model, field)
        require(whole(value), f"model.{field}", "be a whole number >= 1", value)


def one_of(field: str, value: object, kind: Any) -> None:
    """Refuse a word that is not among those of a Literal."""
    known = get_args(kind)
    require(value in known, f"model.{field}", f"be one of {', '.join(known)}", value, did_you_mean(str(value), known))


def widths(field: str, values: object) -> tuple[int, ...]:
    """Widths as a tuple: a list is what TOML has."""
    ok = isinstance(values, list | tuple) and all(whole(value) for value in values)
    require(ok, f"model.{field}", "be a list of whole numbers >= 1", values)
    few = isinstance(values, list | tuple) and len(values) <= MOST_LAYERS
    require(few, f"model.{field}", f"name at most {MOST_LAYERS} layers", values)
    return tuple(values) if isinstance(values, list | tuple) else ()


def images(shape: tuple[int, ...], name: str, least: int = 1) -> tuple[int, list[nn.Module]]:
    """The channels of images `(h, w)` or `(c, h, w)`, and the layer that gives `(h, w)` its one channel.

    least: how high and wide they must be.
    """
    fits = len(shape) in (2, 3)
    require(fits, "the sample shape", f"be (h, w) or (c, h, w) for {name}", shape, "use mlp or logistic")
    high = f"be at least {least} high and wide for {name}"
    require(min(shape[-2:]) >= least, "the sample shape", high, shape, "use cnn, mlp or logistic")
    return (shape[0], []) if len(shape) == 3 else (1, [nn.Unflatten(1, (1, shape[0]))])


def tokens(shape: tuple[int, ...], name: str) -> int:
    """How many numbers a sample of `(length,)` has."""
    require(
        len(shape) == 1, "the sample shape", f"be (length,) of whole numbers for {name}", shape, "use another model"
    )
    return shape[0]
