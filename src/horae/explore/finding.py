"""An exploration without a run: what came of it, layer by layer, and what it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from threadpoolctl import threadpool_limits

from horae import __version__
from horae.engines import Simulation, World
from horae.errors import ConfigError
from horae.experiment import Experiment, name_of
from horae.families import plain
from horae.population import Population
from horae.pruning.autoflip import AutoFlip
from horae.pruning.common import masked, prunable
from horae.pruning.guidance import MODES, Guidance
from horae.training import Trained, Trainer, Work
from horae.types import Anatomy, Bools, Charge, CohortTree, Doubles, Exploration, Floats, Losses


@dataclass(frozen=True)
class Found:
    """What the explorers found. at: the weights they started from. flip: how they explored. keep: the mask by mode,
    `(params,)` each. facts: what guidance.json says. shape: of a sample, None where samples are no images.
    """

    guidance: Guidance
    at: Floats
    anatomy: Anatomy
    flip: AutoFlip
    keep: dict[str, Bools]
    charges: tuple[Charge, ...]
    facts: dict[str, Any]
    shape: tuple[int, ...] | None


class Counted:
    """A trainer that tells how many clients it has trained so far."""

    def __init__(self, trainer: Trainer, tick: Callable[[int], None]) -> None:
        self._trainer, self._tick = trainer, tick
        self._seen: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)

    def train(self, work: Work) -> Trained:
        """As the trainer does."""
        done = self._trainer.train(work)
        self._seen |= set(work.clients.tolist())
        self._tick(len(self._seen))
        return done


def find(experiment: Experiment, world: World, watch: Callable[[int, int], None]) -> Found:
    """What the run's own exploration would find, to the bit, before its first round. The experiment's pruning is
    AutoFLIP.

    watch: told how many of how many explorers are done. Errors: ConfigError where the model has nothing to prune.
    """
    flip: AutoFlip = experiment.parts["pruning"]
    trainer, anatomy = world.trainer, world.trainer.anatomy
    if not prunable(anatomy).any():
        model, remedy = name_of("model", experiment.parts["model"]), "take another, such as logistic or mlp"
        raise ConfigError(f"model.name: {model} has no weights to prune beside its embedding and last layer; {remedy}")
    plan, params, buffers = experiment.plan(), trainer.initial_params, trainer.initial_buffers
    there = Simulation(plan, world, experiment.engine).gather(CohortTree({}), _wanted(flip, world), 0).size
    counted = Counted(trainer, lambda done: watch(done, max(there, done)))
    engine = Simulation(plan, replace(world, trainer=cast(Trainer, counted)), experiment.engine)
    with threadpool_limits(limits=1):  # the same bits however many cores there are
        found = flip.explore(params, buffers, None, engine.ask)
        took_s = engine.opens_s - experiment.engine.check_in_s
        before = engine.ask(Losses(found.clients, (params,), (buffers,)), charge=False)[:, 0]
    guidance, charges = Guidance.of(found), engine.settle()
    keep = {
        mode: _mask(flip, anatomy, guidance, params, mode)
        for mode in MODES
        if mode != "agreement" or guidance.signed is not None
    }
    facts = _facts(experiment, world, found, before) | _costs(charges, took_s)
    facts["layers"] = layers(anatomy, guidance, keep)
    return Found(guidance, params, anatomy, flip, keep, charges, facts, _image_of(world.population))


def layers(anatomy: Anatomy, guidance: Guidance, keep: dict[str, Bools]) -> list[dict[str, Any]]:
    """A row for each tensor: mean g, the share of it that nobody moves, and the share kept by mode."""
    return [
        {
            "name": tensor.name, "kind": tensor.kind, "shape": list(tensor.shape), "size": tensor.size,
            "mean_g": float(guidance.square[tensor.part].mean(dtype=np.float64)) if tensor.size else 0.0,
            "unmoved": float((guidance.square[tensor.part] == 0).mean()) if tensor.size else 0.0,
            "kept": {mode: float(mask[tensor.part].mean()) if tensor.size else 1.0 for mode, mask in keep.items()},
        }
        for tensor in anatomy.tensors
    ]  # fmt: skip


def _wanted(flip: AutoFlip, world: World) -> int:
    return int(np.ceil(flip.explorers * world.population.clients))


def _mask(flip: AutoFlip, anatomy: Anatomy, guidance: Guidance, at: Floats, mode: str) -> Bools:
    scores = guidance.scores(at, anatomy, mode, flip.normalisation)
    return masked(anatomy, scores, flip.threshold, flip.floor, flip.structured).keep


def _facts(experiment: Experiment, world: World, found: Exploration, before: Doubles) -> dict[str, Any]:
    """Who explored, how, and how far."""
    flip: AutoFlip = experiment.parts["pruning"]
    training = world.trainer.training
    epoch = np.maximum(-(-world.population.train.sizes_of(found.clients) // training.batch), 1)
    epochs, limit = found.steps / epoch, np.minimum(flip.steps or np.inf, flip.epochs * epoch)
    return {
        "name": experiment.name,
        "horae": __version__,
        "seed": experiment.seed,
        "model": name_of("model", experiment.parts["model"]),
        "population": world.population.name,
        "clients": world.population.clients,
        "params": world.trainer.n_params,
        "prunable": int(prunable(world.trainer.anatomy).sum()),
        "pruning": {key: value for key, value in plain(flip).items() if key != "guidance"},
        "explored": int(found.clients.size),
        "epochs": {"mean": round(float(epochs.mean()), 3), "max": round(float(epochs.max()), 3)},
        "stopped_early": int((found.steps < limit).sum()),
        "lr": found.lr,
        "optimizer": training.optimizer if flip.optimizer == "same" else flip.optimizer,
        "loss": {"before": _finite(before), "after": _finite(found.losses)},
    }


def _finite(losses: Doubles) -> float | None:
    mean = float(losses.mean())
    return mean if np.isfinite(mean) else None


def _costs(charges: tuple[Charge, ...], took_s: float) -> dict[str, Any]:
    return {
        "bytes_up": sum(c.nbytes_up for c in charges),
        "bytes_down": sum(c.nbytes_down for c in charges),
        "flops": sum(c.flops for c in charges),
        "client_s": round(sum(c.client_s for c in charges), 3),
        "simulated_s": round(took_s, 3),
    }


def _image_of(people: Population) -> tuple[int, ...] | None:
    from horae.population.picture import kind_of

    return tuple(people.shape) if kind_of(people) == "images" else None
