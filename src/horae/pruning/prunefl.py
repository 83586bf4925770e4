"""PruneFL: the model is what reduces the loss most in the time of a round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.errors import require
from horae.pruning.common import Scores, anatomy_of, exact_mask, floor_of, prunable, smallest
from horae.pruning.regrowth import PURPOSE, Regrowing, Sparse, gradients, heard
from horae.types import Anatomy, Ask, Bools, Capacity, Doubles, Floats, Outcome, Practice, Practise, Speeds

WIRE_BITS = 2 * 32  # of a weight, down and up


@dataclass(frozen=True)
class PruneFL(Regrowing):
    """One client trains the first model, and its smallest weights are dropped. Every `every` rounds a share of the
    smallest living weights is up for choice, with all that are dropped, and the best j come back one after the other.

        best by g_j² / t_j,   while it exceeds   Γ = Σ_M g_j² / (c + Σ_M t_j),   M: those that live

    g_j² is the mean over the round's participants, t_j the seconds that a weight costs. threshold: the share of
    prunable weights that go. exact: it is that share in all rounds, whatever Γ says; false: at most that share, as many
    as Γ says. structured, floor: see `Magnitude`; units go before the first round, for good. drop: the share of the
    living that is up for choice. steps: of the first client's training, 0 for a round's. constant_s: c, seconds of a
    round that no weight is to blame for.

    Source: PruneFL (arXiv 1909.12326). Reading: weights that come back begin at zero; only the mask comes from the
    first client, the weights stay those of w0; the paper's model is as large as Γ says, so that `exact` is ours, for
    arms that are compared; t_j is what the weight's tensor has of the FLOPs, of the time the median participant
    computed, and its bytes on the median line, as if zeros cost nothing.
    """

    drop: float = 0.3
    exact: bool = True
    steps: int = 100
    constant_s: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.drop <= 1, "pruning.drop", "be in (0, 1], a share of the living weights", self.drop)
        require(0 <= self.steps <= 60_000, "pruning.steps", "be in [0, 60000]", self.steps)
        require(0 <= self.constant_s <= 1e9, "pruning.constant_s", "be in [0, 1e9]", self.constant_s)

    def scores(self, anatomy: Anatomy, params: Floats, buffers: Floats, seed: int, ask: Ask) -> Scores:
        """|w| after one client's training. Errors: ConfigError where there is none, or it diverged."""
        done: Practice = ask(Practise(params, buffers, n=1, steps=self.steps, purpose=PURPOSE))
        rows = done.updates.rows
        heard(int(np.isfinite(rows).all(axis=1).sum()))
        trained: Floats = np.abs(params + rows[0])
        return trained

    def turned(self, state: Sparse, params: Floats, outcome: Outcome, ask: Ask) -> Bools | None:
        """The weights that live by the participants' gradients."""
        rounds = outcome.round.number + 1
        found = gradients(params, outcome.buffers, outcome.clients, ask, "square", number=rounds)
        if not found.clients.size:
            return None
        anatomy, capacity = anatomy_of(ask), ask(Speeds(outcome.clients), charge=False)
        seconds = seconds_of(anatomy, outcome.durations_s, capacity, state.submodel.kept)
        return self.chosen(anatomy, state, params, found.mean("square"), seconds)

    def chosen(self, anatomy: Anatomy, state: Sparse, params: Floats, squares: Doubles, seconds: Doubles) -> Bools:
        """The weights `(params,)` that live when those up for choice are taken in order of g_j² / t_j."""
        keep, may, total = state.submodel.keep, state.may, prunable(anatomy)
        live = keep & may
        offered = (may & ~keep) | smallest(np.abs(params), floor_of(self.drop, int(live.sum())), live)
        most = floor_of(self.threshold, int(total.sum())) - int((total & ~may).sum())
        drop = min(most, int(offered.sum()))
        if not self.exact:
            drop = min(
                drop, int(offered.sum()) - worthwhile(squares, seconds, keep & ~offered, offered, self.constant_s)
            )
        gains = np.where(offered, squares / seconds, np.inf)
        chosen: Bools = np.where(may, exact_mask(anatomy, gains, drop, self.floor, may), keep)
        return chosen


def worthwhile(squares: Doubles, seconds: Doubles, kept: Bools, offered: Bools, constant_s: float = 0.0) -> int:
    """How many of those offered are worth their time beside those kept, taken in order of g_j² / t_j.

    >>> worthwhile(np.array([2.0, 5.0, 3.0, 1.0]), np.ones(4), np.arange(4) < 1, np.arange(4) > 0)
    1
    """
    g, t = squares[offered], seconds[offered]
    order = np.argsort(-g / t, kind="stable")
    g, t = g[order], t[order]
    gained = squares[kept].sum() + np.cumsum(g) - g
    spent = constant_s + seconds[kept].sum() + np.cumsum(t) - t
    worth = g * spent > gained * t
    return g.size if worth.all() else int(np.argmin(worth))


def seconds_of(anatomy: Anatomy, durations_s: Doubles, capacity: Capacity, kept: int) -> Doubles:
    """What each weight costs a participant in seconds, `(params,)`, on the median of devices and of lines.

        t_j = seconds of computing · FLOPs of its tensor / FLOPs of all / size of its tensor  +  64 bit / bandwidth

    durations_s `(q,)`: of the participants of a round; what is not the sending of `kept` weights was computing.
    """
    wire_s = WIRE_BITS / 1000 / capacity.kbps
    compute_s = float(np.median(np.maximum(durations_s - kept * wire_s, 0)))
    flops = max(sum(tensor.flops for tensor in anatomy.tensors), 1)
    seconds = np.full(anatomy.n_params, float(np.median(wire_s)))
    for tensor in anatomy.tensors:
        seconds[tensor.part] += compute_s * tensor.flops / flops / max(tensor.size, 1)
    return seconds
