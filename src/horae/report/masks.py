"""What a log says of submodels: how much of the model lives, and what that is in bytes and FLOPs; not the bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from horae.types import Channel, Held, Submodel

if TYPE_CHECKING:
    from horae.engines.shapes import Shapes
    from horae.training import Trainer


class Masks:
    """Describes submodels of one model. Without a trainer only how many weights live is known."""

    def __init__(self, trainer: Trainer | None = None, channels: tuple[Channel, ...] = ()) -> None:
        self._trainer, self._channels = trainer, channels
        self._shapes: Shapes | None = None
        self._known: dict[bytes, dict[str, Any]] = {}

    def of(self, held: Held) -> list[dict[str, Any]]:
        """A table for each submodel, each once, the largest first."""
        unique = {submodel.version: submodel for submodel in held.submodels}
        ordered = sorted(unique.values(), key=lambda s: (-s.kept, s.version))
        return [self._table(submodel) for submodel in ordered]

    def _table(self, submodel: Submodel) -> dict[str, Any]:
        if submodel.version not in self._known:
            self._known[submodel.version] = self._told(submodel)
        return self._known[submodel.version]

    def _told(self, submodel: Submodel) -> dict[str, Any]:
        """version: the first eight digits. kept, prunable_kept: weights that live, of all and of those that may go.
        layers: of each layer with such, those that live. model, model_new: bytes of the way down, with the mask where
        that is new; update: of the way up.
        """
        table = {"version": submodel.version.hex()[:8], "kept": submodel.kept, "params": submodel.keep.size}
        if self._trainer is None:
            return table
        from horae.engines.shapes import Shapes
        from horae.engines.wire import model_nbytes, wire_nbytes

        self._shapes = self._shapes or Shapes(self._trainer)
        shape, anatomy = self._shapes.of(submodel), self._trainer.anatomy
        weights = [tensor for tensor in anatomy.tensors if tensor.kind == "weight"]
        alive = {tensor.name: int(np.count_nonzero(submodel.keep[tensor.part])) for tensor in weights}
        dense = {
            "units": anatomy.n_units, "model": 4 * self._trainer.n_params,
            "update": wire_nbytes(self._channels, self._trainer.n_params), "flops": self._trainer.flops_per_sample,
        }  # fmt: skip
        return table | {
            "layers": {tensor.name: [alive[tensor.name], tensor.size] for tensor in weights},
            "units": anatomy.n_units if shape.units is None else int(shape.units.sum()),
            "model": model_nbytes(submodel, new=False),
            "model_new": model_nbytes(submodel, new=True),
            "update": wire_nbytes(self._channels, submodel.kept, packed=True),
            "flops": shape.flops,
            "sparse_flops": shape.sparse_flops,
            "dense": dense,
        }


def sparsity(events: list[dict[str, Any]]) -> float | None:
    """The share of prunable weights that do not live, a mean over these cohorts and each one's submodels; None where
    nothing is pruned.
    """
    gone = [_gone(submodel) for event in events for submodel in event["submodels"]]
    return float(np.mean(gone)) if gone else None


def _gone(submodel: dict[str, Any]) -> float:
    counts = list(submodel.get("layers", {}).values()) or [[submodel["kept"], submodel["params"]]]
    kept, size = (float(sum(column)) for column in zip(*counts, strict=True))
    return 1 - kept / max(size, 1)


def last_of(masks: dict[str, dict[str, Any]], cohorts: list[str]) -> list[dict[str, Any]]:
    """Each cohort's last masks, or those of the nearest cohort above it that had any."""
    found = []
    for cohort in cohorts:
        parts = cohort.split(".")
        above = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
        nearest = next((name for name in above if name in masks), None)
        if nearest is not None:
            found.append(masks[nearest])
    return found
