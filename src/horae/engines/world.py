"""What a simulation is about: clients, devices, hours; and how a round goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from horae.engines.costs import Job
from horae.errors import require
from horae.population import Population
from horae.population.harm import Harm
from horae.training import Trainer
from horae.types import Availability, Capacity, Devices, Doubles


class Cost(Protocol):
    """How long a participation lasts."""

    def seconds(self, job: Job, capacity: Capacity) -> Doubles:
        """Duration of each client's participation, `(clients,)`."""


@dataclass(frozen=True)
class World:
    """Who the clients are: their data, devices and hours, the trainer that stands in for them, and what work costs."""

    population: Population
    devices: Devices
    availability: Availability
    trainer: Trainer
    cost: Cost
    harm: Harm = field(default_factory=Harm)


@dataclass(frozen=True)
class Pace:
    """The `[engine]` table: how a round goes on the virtual clock.

    check_in_s: the window in which clients report before a round begins. retry_s: how long a cohort that found nobody
    waits. look: clients looked at per participant wanted, at most. min_clients: fewest participants a round begins
    with. feedback: when clients hear what a round taught about them, "at once" or with their "next contact", the next
    model they are sent: so it is where the server cannot call them.
    """

    check_in_s: float = 1800.0
    retry_s: float = 60.0
    look: int = 64
    min_clients: int = 2
    feedback: Literal["at once", "next contact"] = "at once"

    def __post_init__(self) -> None:
        require(self.check_in_s >= 0, "engine.check_in_s", "be >= 0", self.check_in_s)
        require(self.retry_s > 0, "engine.retry_s", "be > 0", self.retry_s)
        require(self.look >= 1, "engine.look", "be >= 1", self.look)
        require(self.min_clients >= 1, "engine.min_clients", "be >= 1", self.min_clients)
        known = self.feedback in ("at once", "next contact")
        require(known, "engine.feedback", "be 'at once' or 'next contact'", self.feedback)
