"""Synthetic(alpha, beta): linear models and inputs that differ from client to client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from horae.errors import require
from horae.population.base import Population
from horae.population.partitioners import NaturalId
from horae.population.pool import Pool, Shift
from horae.population.sharing import share_out
from horae.pure.streams import stream
from horae.types import Floats, Ints

SIZE = "made"
CLASSES, FEATURES = 10, 60
LEAST, MOST_CLIENTS, MOST_EACH = 50, 100_000, 1_000_000
LICENCE = "made here by formula"
CITATION = (
    "T. Li, A. K. Sahu, M. Zaheer, M. Sanjabi, A. Talwalkar, V. Smith: Federated optimization in heterogeneous "
    "networks. MLSys 2020"
)


@dataclass(frozen=True)
class Synthetic:
    """Clients with a linear model and inputs of their own: alpha says how far models differ, beta how far inputs do.

        y = argmax(softmax(W_k x + b_k)),    W_k, b_k ~ N(u_k, 1),    u_k ~ N(0, alpha)
        x ~ N(v_k, Σ),    v_k ~ N(B_k, 1),    B_k ~ N(0, beta),    Σ_jj = j^-1.2

    60 features, ten labels; client k has 50 and lognormal(4, 2) samples, at most samples_per_client.

    Source: Li et al. (MLSys 2020), section 5.1; LEAF's synthetic data go by the same idea. Reading: alpha and beta are
    standard deviations, as in the authors' code; at 0 and 1, which they use most, variances are the same.
    """

    clients: int = 100
    alpha: float = 1.0
    beta: float = 1.0
    samples_per_client: int = 1000
    test_fraction: float = 0.2
    shifts: tuple[Shift, ...] = ()

    def __post_init__(self) -> None:
        require(1 <= self.clients <= MOST_CLIENTS, "population.clients", f"be in [1, {MOST_CLIENTS:,}]", self.clients)
        for field, value in (("alpha", self.alpha), ("beta", self.beta)):
            require(0 <= value < 1e6, f"population.{field}", "be in [0, 1e6)", value)
        most = self.samples_per_client
        require(1 <= most <= MOST_EACH, "population.samples_per_client", f"be in [1, {MOST_EACH:,}]", most)
        require(0 <= self.test_fraction < 1, "population.test_fraction", "be in [0, 1)", self.test_fraction)

    def missing(self, data_root: Path | None) -> str | None:
        """None: the data are made by formula."""

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError."""
        drawn = [self._client(seed, k) for k in range(self.clients)]
        owners = np.repeat(np.arange(self.clients), [len(y) for _, y in drawn])
        about = f"synthetic({self.alpha:g}, {self.beta:g}): {FEATURES} features, {CLASSES} labels, a linear model each"
        x, y = np.concatenate([x for x, _ in drawn]), np.concatenate([y for _, y in drawn])
        pool = Pool(x, y, CLASSES, owners, about=about, licence=LICENCE, citation=CITATION)
        return share_out(
            pool, NaturalId(), self.shifts, name="synthetic", test_fraction=self.test_fraction, seed=seed
        )  # fmt: skip

    def _client(self, seed: int, k: int) -> tuple[Floats, Ints]:
        """Samples of client k, by a stream of its own."""
        rng = stream(seed, "population synthetic", k)
        n = min(LEAST + int(min(rng.lognormal(4.0, 2.0), MOST_EACH)), self.samples_per_client)
        u, centre = self.alpha * rng.standard_normal(), self.beta * rng.standard_normal()
        weights, bias = rng.normal(u, 1.0, (FEATURES, CLASSES)), rng.normal(u, 1.0, CLASSES)
        v = rng.normal(centre, 1.0, FEATURES)
        x = v + rng.standard_normal((n, FEATURES)) * np.arange(1, FEATURES + 1) ** -0.6
        return x.astype(np.float32), (x @ weights + bias).argmax(axis=1).astype(np.int64)
