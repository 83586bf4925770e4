"""What every model checks before it is made."""

from __future__ import annotations

from horae.errors import require

MOST_PARAMS, MOST_LAYERS = 2**31, 1000


def afford(field: str, n_params: int) -> None:
    """Refuse a network that no memory holds before it is made."""
    require(n_params <= MOST_PARAMS, field, f"make at most {MOST_PARAMS:,} parameters", n_params, "make it smaller")


def whole(value: object) -> bool:
    """True for a whole number >= 1."""
    return isinstance(value, int) and value >= 1


def widths(field: str, values: object) -> tuple[int, ...]:
    """Widths as a tuple: a list is what TOML has."""
    ok = isinstance(values, list | tuple) and all(whole(value) for value in values)
    require(ok, f"model.{field}", "be a list of whole numbers >= 1", values)
    few = isinstance(values, list | tuple) and len(values) <= MOST_LAYERS
    require(few, f"model.{field}", f"name at most {MOST_LAYERS} layers", values)
    return tuple(values) if isinstance(values, list | tuple) else ()
