"""AutoFLIP: clients explore the loss, and the weights that none of them needs to move are dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from horae.errors import ConfigError, require
from horae.pruning.common import anatomy_of, check_sparsity, check_units, masked
from horae.pruning.files import check_guidance, read_guidance
from horae.pruning.guidance import Guidance
from horae.types import Anatomy, Ask, Booked, Exploration, Explore, Floats, Held, Ints, Outcome, Submodel

PURPOSE = "exploration"
USUAL = {"same": 0.0, "sgd": 0.1, "adam": 0.001}  # learning rates


@dataclass(frozen=True)
class Flip:
    """What a cohort knows of its weights.

    guidance: its own; first: the whole population's, from before the first round. at: the weights that were explored.
    submodel: those that live. master `(params,)`: of every weight the last value it had while it lived. each:
    explorers, and what each told, where masks follow the participants.
    """

    guidance: Guidance
    first: Guidance
    at: Floats
    submodel: Submodel
    master: Floats
    each: tuple[Ints, Floats] | None = None


@dataclass(frozen=True)
class AutoFlip:
    """Before the first round explorers k train copies of the first model w0 and tell how far each weight went; the
    weights with the lowest scores are dropped.

        δ_k = w_k - w0,   g = mean_k δ_k²,   score = |w0| √g   (see `Guidance.scores`),   m = 1 for the highest scores

    threshold: the share of prunable weights that go, exactly; 0 explores nothing and drops nothing. mode: the score;
    "paper" is g by itself in each tensor, by `normalisation`. explorers: the share of clients that explore; epochs,
    steps (0: no limit), patience, optimizer ("same": the experiment's), lr (0: 0.1 for sgd, 0.001 for adam, the
    experiment's for "same"): how each does (see `Explore`). structured: the share of channels or neurons taken out of
    each group first; the rest of `threshold` is single weights. floor: the share of each tensor that stays. schedule:
    "static"; "refresh", new masks every `every` rounds from explorations by the last participants; "per-round", masks
    from the first guidance of the last participants. shrink: explorers that the first guidance counts for beside a
    cohort's own. guidance: a directory of `horae explore`, in place of an exploration.

    Source: AutoFLIP (arXiv 2405.10271), exploration and pruning. Reading: the first model stays as it is and every
    explorer has a copy; only sums come back; the threshold is a share of weights; a mask drops weights in training, in
    transit and in the model, and a dropped weight keeps its last value in the server's master alone. Defaults: what
    was best at equal bytes and FLOPs (docs/pruning.md).
    """

    threshold: float = 0.3
    mode: Literal["weighted", "square", "agreement", "paper"] = "weighted"
    normalisation: Literal["minmax", "robust"] = "minmax"
    explorers: float = 0.25
    epochs: int = 1
    steps: int = 0
    patience: int = 40
    optimizer: Literal["same", "sgd", "adam"] = "sgd"
    lr: float = 0.0
    structured: float = 0.0
    floor: float = 0.01
    schedule: Literal["static", "refresh", "per-round"] = "static"
    every: int = 20
    shrink: float = 10.0
    guidance: str = ""

    def __post_init__(self) -> None:
        check_sparsity("threshold", self.threshold)
        check_sparsity("structured", self.structured)
        check_sparsity("floor", self.floor)
        require(0 < self.explorers <= 1, "pruning.explorers", "be in (0, 1], a share of the clients", self.explorers)
        require(1 <= self.epochs <= 10_000, "pruning.epochs", "be in [1, 10000]", self.epochs)
        require(0 <= self.steps <= 60_000, "pruning.steps", "be in [0, 60000]", self.steps)
        require(self.patience >= 1, "pruning.patience", "be >= 1", self.patience)
        require(0 <= self.lr <= 1000, "pruning.lr", "be in [0, 1000]", self.lr)
        require(self.every >= 1, "pruning.every", "be >= 1", self.every)
        require(0 <= self.shrink <= 1e9, "pruning.shrink", "be in [0, 1e9]", self.shrink)
        stored = self.guidance and self.schedule == "per-round"
        remedy = "a directory holds sums alone; leave pruning.guidance away"
        mean = self.mode == "agreement" and self.schedule == "per-round"
        require(not mean, "pruning.mode", 'be another than "agreement" with schedule = "per-round"', self.mode)
        require(not stored, "pruning.schedule", "be static or refresh beside pruning.guidance", self.schedule, remedy)

    def fits(self, anatomy: Anatomy) -> None:
        """Refuse units where there are none, and a guidance of another model."""
        check_units(anatomy, self.structured)
        if self.guidance:
            check_guidance(self.guidance, anatomy, self.mode)

    def begin(self, params: Floats, buffers: Floats, seed: int, ask: Ask) -> tuple[Floats, Flip | None]:
        """Explore, and drop; with threshold and structured 0 nothing is asked."""
        if not self.threshold and not self.structured:
            return params, None
        anatomy, each = anatomy_of(ask), None
        if self.guidance:
            guidance, at, charges = read_guidance(self.guidance, anatomy)
            ask(Booked(charges))
        else:
            found, at = self.explore(params, buffers, None, ask, each=self.schedule == "per-round"), params
            guidance = Guidance.of(found)
            each = None if found.squares is None else (found.clients, found.squares)
        submodel = self._mask(anatomy, guidance, at)
        return _alive(params, submodel), Flip(guidance, guidance, at, submodel, params, each)

    def plan(self, state: Flip | None, number: int, invited: Ints, ask: Ask) -> Held | None:
        """All clients of a cohort hold the same weights."""
        return None if state is None else Held((state.submodel,))

    def learn(
        self, state: Flip | None, params: Floats, outcome: Outcome, ask: Ask, *, frozen: bool
    ) -> tuple[Floats, Flip | None]:
        """Keep what the living weights have come to, and draw a new mask where it is time, from the master."""
        if state is None:
            return params, None
        master = np.where(state.submodel.keep, params, state.master)
        guidance, at = state.guidance, state.at
        due = (outcome.round.number + 1) % self.every == 0
        if self.schedule == "per-round" and state.each is not None and not frozen:
            guidance = _told_by(outcome.clients, state.each) or guidance
        elif self.schedule == "refresh" and due and not frozen and not outcome.empty:
            found = self.explore(master, outcome.buffers, outcome.clients, ask, number=outcome.round.number + 1)
            guidance, at = Guidance.of(found).towards(state.first, self.shrink), master
        submodel = state.submodel
        if guidance is not state.guidance:
            submodel = self._mask(anatomy_of(ask), guidance, at)
        return _alive(master, submodel), Flip(guidance, state.first, at, submodel, master, state.each)

    def explore(
        self, params: Floats, buffers: Floats, clients: Ints | None, ask: Ask, *, number: int = 0, each: bool = False
    ) -> Exploration:
        """What clients find that start from this model. Errors: ConfigError where no explorer's weights are finite."""
        optimizer, lr = ("" if self.optimizer == "same" else self.optimizer), self.lr or USUAL[self.optimizer]
        found: Exploration = ask(
            Explore(
                params, buffers, clients, self.explorers, self.epochs, self.steps, self.patience, lr, optimizer,
                ("square", "signed") if self.mode == "agreement" else ("square",), each, number, PURPOSE,
            )
        )  # fmt: skip
        if not found.clients.size:
            raise ConfigError(f"pruning: no explorer came back with finite weights at lr {found.lr}; lower pruning.lr")
        return found

    def _mask(self, anatomy: Anatomy, guidance: Guidance, at: Floats) -> Submodel:
        scores = guidance.scores(at, anatomy, self.mode, self.normalisation)
        return masked(anatomy, scores, self.threshold, self.floor, self.structured)


def _alive(params: Floats, submodel: Submodel) -> Floats:
    alive: Floats = np.where(submodel.keep, params, np.float32(0))
    return alive


def _told_by(clients: Ints, each: tuple[Ints, Floats]) -> Guidance | None:
    """The guidance of those explorers that took part; None where none did."""
    explorers, squares = each
    rows = np.flatnonzero(np.isin(explorers, clients))
    if not rows.size:
        return None
    return Guidance(squares[rows].mean(axis=0), None, rows.size)
