"""What the trainer is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from horae.training.plan import Training
from horae.training.streamed import Wanted
from horae.types import Bools, Correction, Doubles, Floats, Ints, Path, Updates


@dataclass(frozen=True)
class Work:
    """One round's local training, for the clients that do it.

    params `(P,)`, buffers `(B,)`: the model they start from. clients `(q,)`: ids. rows: for each client the rows of the
    data set it trains on, repeats allowed, possibly none. round: the cohort's round number; sets learning rate and
    batches. path: the cohort, for the reader of a trace. lr_scale: times the learning rate. correction: bends the
    gradient. keep `(P,)`: the weights that live; None is all. efforts `(q,)`: times the usual local steps (or epochs),
    by client; None is 1. steps: of every client, in place of the table's; 0 is the table's. table: the [training]
    table, in place of the experiment's. units `(units,)`: those that live; None is all. What they leave is trained as a
    smaller model. weights: for each client what its rows count, of mean 1; None is 1 each. wanted: what the updates
    will be asked, if that is known; then a `streamed.large` round is not held. together: the clients that a path trains
    together, the first so many, the next so many; 0 is as many as it says itself.
    """

    params: Floats
    buffers: Floats
    clients: Ints
    rows: list[Ints]
    round: int
    path: Path = ()
    lr_scale: float = 1.0
    correction: Correction = field(default_factory=Correction)
    keep: Bools | None = None
    efforts: Doubles | None = None
    steps: int = 0
    table: Training | None = None
    units: Bools | None = None
    weights: list[Doubles] | None = None
    wanted: Wanted | None = None
    together: int = 0

    def part(self, clients: slice) -> Work:
        """The same work for some clients that stand side by side."""
        drift = self.correction.drift
        own = drift if drift is None or drift.ndim == 1 else drift[clients]
        correction = replace(self.correction, drift=own)
        rows, weights = self.rows[clients] if self.rows else [], self.weights[clients] if self.weights else self.weights
        return replace(self, clients=self.clients[clients], rows=rows, correction=correction, weights=weights)

    def some(self, rows: Ints) -> Work:
        """The same work for some clients, by their positions."""
        drift = self.correction.drift
        own = drift if drift is None or drift.ndim == 1 else drift[rows]
        efforts = None if self.efforts is None else self.efforts[rows]
        return replace(
            self, clients=self.clients[rows], rows=[self.rows[i] for i in rows], efforts=efforts,
            correction=replace(self.correction, drift=own),
            weights=None if self.weights is None else [self.weights[i] for i in rows],
        )  # fmt: skip

    def bare(self, *, shared: bool) -> Work:
        """What a part's worker needs beside its plan, which has rows and weights. shared: params lie in its reach."""
        weights: list[Doubles] | None = None if self.weights is None else []
        return replace(self, rows=[], weights=weights, params=self.params[:0] if shared else self.params, wanted=None)

    def start(self) -> Tensor:
        """The weights every client starts from, `(P,)`: dropped ones are zero. A copy."""
        params = torch.tensor(self.params)
        return params if self.keep is None else params.masked_fill_(torch.tensor(~self.keep), 0.0)


@dataclass(frozen=True)
class Trained:
    """What came of it, one row per client in the order of the work.

    told: w_end - w_start, zero where a weight was dropped; `updates (q, P)` are its rows. buffers `(q, B)`: at the end.
    losses `(q,)`: mean training loss of the samples processed, each measured at the weights of its step; 0 for a client
    that processed none. processed `(q,)`: samples, repeats counted; steps `(q,)`: local steps. sums, counts `(q, most
    steps)`: each step's summed loss, and its samples.
    """

    told: Updates
    buffers: Floats
    losses: Doubles
    processed: Ints
    steps: Ints
    sums: Doubles
    counts: Ints

    @property
    def updates(self) -> Floats:
        """All updates in full, `(q, P)`."""
        return self.told.rows


def merged(parts: Sequence[tuple[Ints, Trained]], n: int) -> Trained:
    """What came of the same work in parts, each with the positions of its clients among all n."""
    out: dict[str, Any] = {}
    for name in ("updates", *(f.name for f in fields(Trained) if f.name != "told")):
        columns = [(rows, getattr(done, name)) for rows, done in parts]
        width = max((column.shape[1:] for _, column in columns), default=())
        out[name] = np.zeros((n, *width), columns[0][1].dtype)
        for rows, column in columns:
            out[name][(rows, *(slice(0, w) for w in column.shape[1:]))] = column
    return Trained(Updates(out.pop("updates")), **out)
