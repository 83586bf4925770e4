"""Where the clients live, and whose clock it is.

The simulator is imported when it is first used: `Scripted`, and what clients remember (`engines.store`), need no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from horae.engines.scripted import Scripted

if TYPE_CHECKING:
    from horae.engines.simulation import Simulation, World

__all__ = ["Scripted", "Simulation", "World"]


def __getattr__(name: str) -> Any:
    if name in ("Simulation", "World"):
        return getattr(import_module("horae.engines.simulation"), name)
    raise AttributeError(f"module 'horae.engines' has no attribute {name!r}")
