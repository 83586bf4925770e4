"""Masks that change: some of the living weights go, some of the others come back and begin at zero."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from horae.errors import ConfigError, require
from horae.pruning.common import Scores, anatomy_of, check_units, living_units, masked, prunable
from horae.pruning.fixed import alive, check_shares
from horae.types import Anatomy, Ask, Bools, Exploration, Explore, Floats, Held, Ints, Outcome, Submodel
from horae.types.asks import Sum

PURPOSE = "exploration"


@dataclass(frozen=True)
class Sparse:
    """The weights that live, and those that may `(params,)`: prunable ones of units that were not taken out."""

    submodel: Submodel
    may: Bools


@dataclass(frozen=True)
class Regrowing(ABC):
    """A first mask, and another one every `every` rounds.

    threshold: the share of prunable weights that go. structured: the share of channels or neurons taken out of each
    group before the first round, for good. floor: the share of each tensor that stays in the first mask.
    """

    threshold: float = 0.3
    structured: float = 0.0
    floor: float = 0.01
    every: int = 20

    def __post_init__(self) -> None:
        check_shares(self.threshold, self.structured, self.floor)
        require(self.every >= 1, "pruning.every", "be >= 1", self.every)

    def fits(self, anatomy: Anatomy) -> None:
        """Refuse units where there are none."""
        check_units(anatomy, self.structured)

    def begin(self, params: Floats, buffers: Floats, seed: int, ask: Ask) -> tuple[Floats, Sparse | None]:
        """The model without what was dropped; with threshold and structured 0 nothing is asked."""
        if not self.threshold and not self.structured:
            return params, None
        anatomy = anatomy_of(ask)
        scores = self.scores(anatomy, params, buffers, seed, ask)
        submodel, may = masked(anatomy, scores, self.threshold, self.floor, self.structured), prunable(anatomy)
        if self.structured:
            may &= anatomy.living(living_units(anatomy, np.where(may, scores, 0), self.structured))
        return alive(params, submodel), Sparse(submodel, may)

    def plan(self, state: Sparse | None, number: int, invited: Ints, ask: Ask) -> Held | None:
        """All clients of a cohort hold the same weights."""
        return None if state is None else Held((state.submodel,))

    def learn(
        self, state: Sparse | None, params: Floats, outcome: Outcome, ask: Ask, *, frozen: bool
    ) -> tuple[Floats, Sparse | None]:
        """What was dropped stays zero; where it is time, the participants tell how to go on."""
        if state is None:
            return params, None
        left, rounds = alive(params, state.submodel), outcome.round.number + 1
        if frozen or outcome.empty or not self.due(rounds):
            return left, state
        keep = self.turned(state, left, outcome, ask)
        submodel = state.submodel if keep is None else Submodel(keep)
        return alive(left, submodel), Sparse(submodel, state.may)

    def due(self, rounds: int) -> bool:
        """Does the mask change after so many rounds?"""
        return rounds % self.every == 0

    @abstractmethod
    def scores(self, anatomy: Anatomy, params: Floats, buffers: Floats, seed: int, ask: Ask) -> Scores:
        """What each weight is worth at first, `(params,)`."""

    @abstractmethod
    def turned(self, state: Sparse, params: Floats, outcome: Outcome, ask: Ask) -> Bools | None:
        """The weights that live from now on, `(params,)`; None where nobody could tell."""


def gradients(
    params: Floats, buffers: Floats, clients: Ints | None, ask: Ask, kind: Sum, *, share: float = 1.0, number: int = 0
) -> Exploration:
    """Clients' gradients of one minibatch, of dropped weights too, summed up as `kind`: one step with learning rate 1
    goes as far as the gradient is long.
    """
    found: Exploration = ask(
        Explore(
            params, buffers, clients, share, steps=1, lr=1.0, optimizer="sgd", sums=(kind,), number=number,
            purpose=PURPOSE,
        )
    )  # fmt: skip
    return found


def heard(clients: int) -> None:
    """Refuse to go on where nobody told anything. Errors: ConfigError."""
    if not clients:
        raise ConfigError("pruning: no client came back with finite numbers; lower training.lr, or look at its data")
