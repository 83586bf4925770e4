"""Which of their own samples clients train on, and how much each counts."""

from __future__ import annotations

import numpy as np

from horae.alignment import Off
from horae.clustering import Oracle, Single
from horae.engines.world import World
from horae.population import Roster
from horae.pure.streams import stream
from horae.types import Arrangement, Doubles, Ints, Plan, Round


def probed(plan: Plan, target: Doubles | None) -> bool:
    """Whether clients that train by this target train a second time, on their samples as they are, for the clustering
    alone: where it reads updates, which alignment makes alike.
    """
    reads = not isinstance(plan.clustering, Single | Oracle)
    return target is not None and reads and not isinstance(plan.alignment, Off)


class Views:
    """Clients' samples, as they are or as the alignment re-organises them. Runs at the client."""

    def __init__(self, plan: Plan, world: World) -> None:
        self._plan, self._people = plan, world.population

    def probes(self, round: Round) -> bool:
        """Whether the round's clients train a second time, on their samples as they are, for the clustering alone."""
        return probed(self._plan, round.target)

    def of(self, round: Round, clients: Ints, at_s: float) -> tuple[list[Ints], list[Doubles] | None]:
        """The dataset rows that each trains on, and their weights; None is 1 each."""
        rows = self._people.train_at(clients, at_s)
        if round.target is None:
            return rows, None
        found = [self._arranged(round, round.target, c, own) for c, own in zip(clients.tolist(), rows, strict=True)]
        views = [own if a.index is None else own[a.index] for own, a in zip(rows, found, strict=True)]
        if all(a.weights is None for a in found):
            return views, None
        return views, [
            np.ones(len(view)) if a.weights is None else a.weights for view, a in zip(views, found, strict=True)
        ]

    def sizes(self, round: Round, clients: Ints, at_s: float) -> Ints:
        """How many samples each has in its view, `(clients,)`; at most, where the samples are elsewhere."""
        if round.target is None or isinstance(self._people, Roster):
            return self._people.train.sizes_of(clients)
        return np.array([len(view) for view in self.of(round, clients, at_s)[0]], np.int64)

    def told(self, sizes: Ints) -> Ints:
        """What the server hears of these sizes: nothing, where the alignment keeps them to the clients."""
        return sizes if self._plan.alignment.tells else np.ones_like(sizes)

    def _arranged(self, round: Round, target: Doubles, client: int, own: Ints) -> Arrangement:
        rng = stream(self._plan.seed, "alignment", round.number, *round.path, client)
        return self._plan.alignment.arrange(self._people.y[own], target, rng)
