"""Clients as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import ConfigError, require
from horae.population.partitioners.common import gathered
from horae.population.rows import Ragged
from horae.types import UNKNOWN, Ints


@dataclass(frozen=True)
class NaturalId:
    """One client for each owner of samples: the writer, the speaker, the user; some by lot where fewer are asked."""

    def share(self, labels: Ints, owners: Ints | None, clients: int, rng: np.random.Generator) -> Ragged:
        """Positions in `labels (samples,)` for each client, in the order of owners. Errors: ConfigError."""
        if owners is None:
            raise ConfigError(
                'population.partition should be one of owners, got "natural-id"; nobody owns these: try "iid"'
            )
        names, who = np.unique(owners, return_inverse=True)
        n, should = clients or names.size, f"be in [0, {names.size}], the owners there are"
        require(n <= names.size, "population.clients", should, clients, "lower it")
        place = np.full(names.size, UNKNOWN)
        place[np.sort(rng.permutation(names.size)[:n])] = np.arange(n)
        return gathered(place[who], n)
