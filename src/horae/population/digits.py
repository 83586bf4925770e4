"""Digits as they are, shared out in three ways: at random, by skewed labels, by the form they were written on.

The images are split into train and test once, before clients are formed:
nobody trains on an image that anybody is tested on.
"""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.population import datasets
from horae.population.base import Population
from horae.population.partitions import dirichlet
from horae.population.recipes import REUSE, assemble, check, dealt, plant, share, split
from horae.pure.streams import stream
from horae.types import UNKNOWN


@dataclass(frozen=True)
class DigitsDirichlet:
    """Clients with label proportions of their own, drawn from a Dirichlet distribution; no groups are planted.

    alpha: small is skewed. With the prior of Hsu et al. (Dir(alpha p), p near 1/10) 0.3 leaves most clients one or two
    labels. A client's test samples follow the same proportions as its training samples.
    """

    clients: int = 200
    images_per_client: int = 36
    alpha: float = 0.3
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        check(self.clients, self.images_per_client, self.test_fraction)
        require(0 < self.alpha < np.inf, "population.alpha", "be in (0, inf)", self.alpha, "raise it")

    def missing(self, data_root: pathlib.Path | None) -> str | None:
        """None: the data come with scikit-learn."""

    def build(self, seed: int, data_root: pathlib.Path | None = None) -> Population:
        """The clients; groups are unknown."""
        y = datasets.digits().y
        n_train, n_test = share(self.images_per_client, self.test_fraction)
        fit, score = split(self.test_fraction, seed)
        train, q = dirichlet(y, fit, self.clients, n_train, self.alpha, stream(seed, "population train"))
        test, _ = dirichlet(y, score, self.clients, n_test, self.alpha, stream(seed, "population test"), q)
        about = f"1,797 digits of 8x8; label proportions drawn from Dir({self.alpha:g} p). {REUSE}"
        return assemble("digits-dirichlet", about, train, test, np.full(self.clients, UNKNOWN))


@dataclass(frozen=True)
class DigitsSessions:
    """Clients that belong to one of the 14 forms hidden in the row order: real handwriting, no planted shift.

    A client draws all its images from the form it belongs to; forms have near equal numbers of clients.
    """

    clients: int = 200
    images_per_client: int = 36
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        check(self.clients, self.images_per_client, self.test_fraction)

    def missing(self, data_root: pathlib.Path | None) -> str | None:
        """None: the data come with scikit-learn."""

    def build(self, seed: int, data_root: pathlib.Path | None = None) -> Population:
        """The clients; the group of a client is its form."""
        session = datasets.digits().session
        forms = int(session.max()) + 1
        groups = plant(self.clients, forms, (), seed)
        fit, score = ([part[session[part] == f] for f in range(forms)] for part in split(self.test_fraction, seed))
        train, test = dealt(fit, score, groups, self.images_per_client, self.test_fraction, seed)
        about = f"1,797 digits of 8x8; each client draws from one of {forms} form sessions. {REUSE}"
        return assemble("digits-sessions", about, train, test, groups)


@dataclass(frozen=True)
class DigitsIid:
    """Clients that differ by chance alone: the control, on which a method should find no cohorts."""

    clients: int = 200
    images_per_client: int = 36
    test_fraction: float = 0.2

    def __post_init__(self) -> None:
        check(self.clients, self.images_per_client, self.test_fraction)

    def missing(self, data_root: pathlib.Path | None) -> str | None:
        """None: the data come with scikit-learn."""

    def build(self, seed: int, data_root: pathlib.Path | None = None) -> Population:
        """The clients; groups are unknown, for there are none."""
        fit, score = split(self.test_fraction, seed)
        together = np.zeros(self.clients, np.int64)
        train, test = dealt([fit], [score], together, self.images_per_client, self.test_fraction, seed)
        about = f"1,797 digits of 8x8, dealt to clients at random. {REUSE}"
        return assemble("digits-iid", about, train, test, np.full(self.clients, UNKNOWN))
