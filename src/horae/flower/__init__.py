"""Flower: the same cohorts on devices in the field. Needs `pip install "horae[flower]"`, which is looked for on first
use.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from horae.errors import RunError

_WHERE = {
    "CohortGrid": "horae.flower.grid",
    "Memory": "horae.flower.affinity",
    "affinity_mod": "horae.flower.affinity",
    "client_app": "horae.flower.apps",
    "cohorts": "horae.flower.strategies",
    "server_app": "horae.flower.apps",
}
_WITHOUT = {"Memory"}  # these do without Flower

__all__ = ["CohortGrid", "Memory", "affinity_mod", "client_app", "cohorts", "server_app"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _WITHOUT and importlib.util.find_spec("flwr") is None:
        raise RunError(f'horae.flower.{name} needs Flower: pip install "horae[flower]"')
    return getattr(importlib.import_module(_WHERE[name]), name)
