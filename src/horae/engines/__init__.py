"""Where the clients live, and whose clock it is."""

from horae.engines.scripted import Scripted
from horae.engines.simulation import Simulation, World

ENGINES = {"simulation": Simulation, "scripted": Scripted}

__all__ = ["ENGINES", "Scripted", "Simulation", "World"]
