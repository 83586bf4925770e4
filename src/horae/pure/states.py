"""States of components, number by number."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


def where(chosen: NDArray[np.bool_], one: Any, other: Any) -> Any:
    """`one` at the chosen places, `other` elsewhere, in every array `(params,)` of two states of the same make.

    chosen `(params,)`. What is no such array comes from `one`.

    >>> where(np.array([True, False]), (np.array([1.0, 2.0]), 3), (np.array([0.0, 0.0]), 4))
    (array([1., 0.]), 3)
    """
    if isinstance(one, np.ndarray):
        same = isinstance(other, np.ndarray) and one.shape == other.shape == chosen.shape
        return np.where(chosen, one, other) if same else one
    if type(one) is not type(other):
        return one
    if isinstance(one, tuple | list) and len(one) == len(other):
        return type(one)(where(chosen, a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return {key: where(chosen, value, other.get(key)) for key, value in one.items()}
    if is_dataclass(one) and not isinstance(one, type):
        return replace(
            one, **{f.name: where(chosen, getattr(one, f.name), getattr(other, f.name)) for f in fields(one) if f.init}
        )
    return one
