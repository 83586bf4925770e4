"""What every engine is given: a network, samples, and which of them go into which step. Needs numpy alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Task:
    """One workload as it lies in a file, the same for all engines.

    spec: the network, see naive.network. x `(images, *shape)` float32, y `(images,)`: all samples. rows `(clients, n)`:
    the samples each client holds. index `(clients, steps, batch)`: positions into them, step by step. params: the first
    model as one vector, in the order of the module's parameters. clients `(clients,)`: ids among `population`.
    seed: of the plan.
    """

    spec: dict[str, Any]
    lr: float
    seed: int
    population: int
    x: np.ndarray
    y: np.ndarray
    rows: np.ndarray
    index: np.ndarray
    params: np.ndarray
    clients: np.ndarray

    @property
    def of_words(self) -> bool:
        """Whether samples are bags of words, and the network naive_words'."""
        return "features" in self.spec

    @property
    def is_deep(self) -> bool:
        """Whether the network is naive_deep's."""
        return "deep" in self.spec

    @property
    def steps(self) -> int:
        """Local steps of each client."""
        return self.index.shape[1]

    @property
    def batch(self) -> int:
        """Samples of each step."""
        return self.index.shape[2]

    def in_order(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """A client's samples laid out as its steps take them, for engines that slice batches off an array."""
        taken = self.rows[row][self.index[row].reshape(-1)]
        return self.x[taken], self.y[taken]

    def save(self, path: Path) -> None:
        """Write it to one file."""
        about = {"spec": self.spec, "lr": self.lr, "seed": self.seed, "population": self.population}
        arrays = {name: getattr(self, name) for name in ("x", "y", "rows", "index", "params", "clients")}
        np.savez(path, about=np.array(json.dumps(about)), **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Task:
        """Read it back."""
        with np.load(path) as file:
            about = json.loads(str(file["about"]))
            return cls(**about, **{name: file[name] for name in file.files if name != "about"})
