"""Samples before they are shared out, and the two kinds of thing that make clients of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from horae.population.rows import Ragged
from horae.types import Bools, Ints, TaskName


@dataclass(frozen=True)
class Pool:
    """What a reader found. x, y, classes, task, scale: as in `Population`.

    owners `(samples,)`: whom each sample belongs to, numbered from 0 without gaps, or None where nobody owns any.
    tested `(samples,)`: the samples that their publisher sets aside for testing, or None. groups `(owners,)`: known
    groups of owners, or None. about, licence, citation: for whoever uses it.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    classes: int
    owners: Ints | None = None
    tested: Bools | None = None
    groups: Ints | None = None
    task: TaskName = "classification"
    scale: float | None = None
    about: str = ""
    licence: str = ""
    citation: str = ""


class Partition(Protocol):
    """How samples are shared out: a member of the family `partition`, by the names that flwr-datasets uses."""

    def share(self, labels: Ints, owners: Ints | None, clients: int, rng: np.random.Generator) -> Ragged:
        """Positions in `labels (samples,)` for each client; no sample twice, nobody empty. It always ends.

        owners `(samples,)`: natural owners, or None. clients: how many there shall be; 0: as many as owners.
        Errors: ConfigError.
        """


class Shift(Protocol):
    """What makes groups of clients differ: a member of the family `shifts`."""

    @property
    def groups(self) -> int:
        """How many groups see the data differently; group 0 sees them as they are, if any does."""

    def inputs(self, x: NDArray[Any], group: int, seed: int) -> NDArray[Any]:
        """Samples `(n, *shape)` as that group sees them, of the same dtype; the same array where nothing changes."""

    def labels(self, y: NDArray[Any], group: int, classes: int, seed: int, client: int) -> NDArray[Any]:
        """Labels `(n,)` as that client of that group names them; the same array where nothing changes."""
