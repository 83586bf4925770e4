"""What a submodel is on a client: bytes and FLOPs of it, and which clients know its mask already."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from horae.engines.wire import model_nbytes, wire_nbytes
from horae.training import Trainer
from horae.types import Bools, Channel, Ints, Round, State, Submodel

REMEMBERED = 64  # submodels


@dataclass(frozen=True)
class Shape:
    """units `(units,)`: those that live, None for all. flops: of a forward pass of one sample, as the smaller model has
    them; sparse_flops: without the zeros in it. n_buffers: numbers in its buffers.
    """

    units: Bools | None
    flops: int
    sparse_flops: int
    n_buffers: int


@dataclass(frozen=True)
class Load:
    """Bytes of a model down and an update up, of one more vector of weights, of the buffers; and FLOPs per sample: of
    every client, or by client.
    """

    model: int | Ints
    update: int | Ints
    vector: int | Ints
    buffers: int | Ints
    flops: int | Ints
    sparse_flops: int | Ints


class Shapes:
    """Submodels of one model, by the content of their masks."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._known: dict[bytes, Shape] = {}
        self._at: dict[int, bytes] = {}

    def of(self, submodel: Submodel) -> Shape:
        """What is left of the model."""
        if submodel.version not in self._known:
            if len(self._known) >= REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[submodel.version] = self._measured(submodel)
        return self._known[submodel.version]

    def load(self, round: Round, channels: tuple[Channel, ...]) -> Load:
        """What travels for each of the invited, and what a sample costs it."""
        trainer, held = self._trainer, round.held
        if held is None:
            n, flops = trainer.n_params, trainer.flops_per_sample
            return Load(4 * n, wire_nbytes(channels, n), 4 * n, 4 * trainer.initial_buffers.size, flops, flops)
        which = held.of(round.invited.size)
        knows = [self._at.get(c) for c in round.invited.tolist()]
        new = np.array([version != held.submodels[i].version for version, i in zip(knows, which, strict=True)], bool)
        shapes = [self.of(submodel) for submodel in held.submodels]
        kept = np.array([submodel.kept for submodel in held.submodels])
        bare = np.array([model_nbytes(submodel, new=False) for submodel in held.submodels])
        full = np.array([model_nbytes(submodel, new=True) for submodel in held.submodels])
        sent = np.array([wire_nbytes(channels, submodel.kept, packed=True) for submodel in held.submodels])
        return Load(
            np.where(new, full[which], bare[which]),
            sent[which],
            4 * kept[which],
            *(np.array(column)[which] for column in zip(
                *((4 * s.n_buffers, s.flops, s.sparse_flops) for s in shapes), strict=True)),
        )  # fmt: skip

    def hand_over(self, round: Round) -> None:
        """The invited have the mask of what they train from now on."""
        if round.held is not None:
            for client, i in zip(round.invited.tolist(), round.held.of(round.invited.size).tolist(), strict=True):
                self._at[client] = round.held.submodels[i].version

    def snapshot(self) -> State:
        """Clients, and the mask each has."""
        versions = b"".join(self._at.values())
        return np.array(list(self._at), np.int64), np.frombuffer(versions, np.uint8).reshape(-1, 16)

    def restore(self, state: State) -> None:
        """Back to a snapshot."""
        clients, versions = state
        self._at = {client: row.tobytes() for client, row in zip(clients.tolist(), versions, strict=True)}

    def _measured(self, submodel: Submodel) -> Shape:
        trainer, anatomy = self._trainer, self._trainer.anatomy
        alive = anatomy.alive(submodel.keep)
        units = None if alive.all() else alive
        flops = trainer.flops_per_sample if units is None else trainer.flops_of(units)
        share = [np.count_nonzero(submodel.keep[t.part]) / max(t.size, 1) * t.flops for t in anatomy.tensors]
        theory = trainer.flops_per_sample - sum(t.flops for t in anatomy.tensors) + round(sum(share))
        n_buffers = int(trainer.initial_buffers.size if units is None else anatomy.living_buffers(units).sum())
        return Shape(units, flops, min(theory, flops), n_buffers)
