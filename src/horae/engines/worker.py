"""What runs at an endpoint: one client's part of a round, from a `Task` to a `Reply` or a `ClientFailure`."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import parent_process
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from horae.engines.answering import Here
from horae.engines.far import said, whole
from horae.engines.learning import Learning
from horae.engines.messages import Answer, ClientFailure, Message, Question, Recipe, Reply, Said, Task, Visit
from horae.engines.parcels import opened, parcel, submodel_of, with_probe
from horae.engines.world import World
from horae.errors import RunError
from horae.pure.packing import pack, unpack
from horae.pure.streams import stream, uniforms
from horae.settings import imported
from horae.training import Work
from horae.types import Correction, Floats, Plan, Ref, Round, Submodel, Updates

INLINE = "inline:"
SMALL = 2**18  # bytes of an answer that needs no data plane
KEPT = 2  # worlds that a process keeps: each holds a data set


@dataclass
class Built:
    """A plan and its world in this process. A trainer uses its room again: one client at a time."""

    plan: Plan
    world: World
    busy: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.learning = Learning(self.plan, self.world)
        self.here = Here(self.learning)


_built: OrderedDict[str, Built] = OrderedDict()  # a process's own
_lent: dict[str, Built] = {}
_planes: dict[str, Any] = {}
_building = threading.Lock()


def lend(recipe: Recipe, plan: Plan, world: World, address: str = "") -> None:
    """Let this process's own threads use what there is already; with an address, the plan's data plane too."""
    _lent[recipe.key] = Built(plan, world)
    if address:
        _planes[address] = plan.data_plane


def take_back(recipe: Recipe, address: str) -> None:
    """The run is over."""
    _lent.pop(recipe.key, None)
    _planes.pop(address, None)


def begin() -> None:
    """A worker process's first act. Ctrl-C is the parent's to answer, and a worker whose parent is gone ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def work(task: Message) -> Said:
    """One client's training, or what its site is asked. Whatever goes wrong is a value: an error that cannot be pickled
    would end the executor.
    """
    try:
        with _libraries().limit(limits=1):  # the same bits on every machine of a kind
            if isinstance(task, Question):
                return _answer(task)
            return _visit(task) if isinstance(task, Visit) else _work(task)
    except Exception as error:
        return ClientFailure.of(task.client, error)


def _visit(visit: Visit) -> Answer:
    return Answer(visit.client, pack(imported(visit.recipe.build, "recipe")(visit.recipe.text)))


def _answer(question: Question) -> Answer:
    """A large answer goes by the data plane."""
    built, near = _built_by(question.recipe), question.plane.startswith(INLINE)
    plane, models = None if near else attached(question.plane), unpack(question.payload) if question.payload else {}
    if plane is not None and question.models is not None:
        models = plane.get(question.models, timeout_s=min(60.0, question.timeout_s))
    with built.busy:
        arrays = said(built.here(whole(unpack(question.work), models), question.at_s))
    if plane is None or sum(a.nbytes for a in arrays.values()) <= SMALL:
        return Answer(question.client, pack(arrays))
    return Answer(question.client, ref=plane.put_as(question.out, arrays))


@cache
def _libraries() -> ThreadpoolController:
    """The numerical libraries of this process; to look for them takes longer than a small client's training."""
    return ThreadpoolController()


def _work(task: Task) -> Reply:
    built, began = _built_by(task.recipe), time.perf_counter()
    plane = None if task.plane.startswith(INLINE) else attached(task.plane)
    model, extras = unpack(task.payload) if plane is None else _fetched(plane, task)
    got = time.perf_counter()
    with built.busy:
        round = _round(task, extras)
        submodel = submodel_of(model, built.world.trainer.n_params)
        job, n_samples = _job(built, task, round, model, submodel)
        done = built.world.trainer.train(job)
        update, buffers, losses, steps = done.updates[0].copy(), done.buffers[0].copy(), done.losses, done.steps
        probe = _probe(built, task, round, job)
    rng = stream(built.plan.seed, "channel", task.number, *task.path, task.client)
    arrays = parcel(built.plan.channels, _shortened(built.plan.seed, task, update), rng, submodel)
    read = Updates(opened(built.plan.channels, arrays, submodel)[None])
    shown = read if probe is None else Updates(probe[None])
    arrays = arrays if probe is None else with_probe(arrays, probe, submodel)
    trained = time.perf_counter()
    payload = pack(arrays) if plane is None else b""
    ref = Ref(task.out, len(payload)) if plane is None else plane.put_as(task.out, arrays)
    return Reply(
        task.client, ref, float(read.norms()[0]), float(losses[0]), n_samples, int(steps[0]), payload,
        np.ascontiguousarray(shown.sketch(task.dims)).tobytes() if task.dims else b"", buffers.tobytes(), got - began,
        trained - got, time.perf_counter() - trained, f"{socket.gethostname()}:{os.getpid()}",
    )  # fmt: skip


def _fetched(plane: Any, task: Task) -> tuple[dict[str, Any], dict[str, Any]]:
    patience = min(60.0, task.timeout_s)
    extras = {} if task.extras is None else plane.get(task.extras, timeout_s=patience)
    return plane.get(task.model, timeout_s=patience), extras


def _round(task: Task, extras: dict[str, Any]) -> Round:
    """The round as one client sees it."""
    alone = np.array([task.client])
    return Round(
        task.path, task.number, task.model, alone, 1, task.timeout_s, np.full(1, np.nan), np.zeros(1, bool),
        Correction(task.prox, extras.get("drift")), extras.get("target"), lr_scale=task.lr_scale,
    )  # fmt: skip


def _job(built: Built, task: Task, round: Round, model: dict[str, Any], submodel: Submodel | None) -> tuple[Work, int]:
    """What there is to train, and how many samples the client's view has, as far as that is told."""
    clients = round.invited
    rows, weights = built.learning.views.of(round, clients, task.at_s)
    params = model["params"] if submodel is None else submodel.scatter(model["params"])
    job = Work(
        params, model["buffers"], clients, rows, task.number, task.path, task.lr_scale, round.correction,
        efforts=None if task.effort is None else np.array([task.effort]), weights=weights,
    )  # fmt: skip
    if submodel is not None:
        job = replace(job, keep=submodel.keep, units=built.learning.shapes.of(submodel).units)
    return job, int(built.learning.views.told(np.array([len(rows[0])]))[0])


def _probe(built: Built, task: Task, round: Round, job: Work) -> Floats | None:
    """A second update, from the client's samples as they are, where the clustering is to read that; else None."""
    if not built.learning.views.probes(round):
        return None
    as_they_are = built.world.population.train_at(round.invited, task.at_s)
    again: Floats = built.world.trainer.train(replace(job, rows=as_they_are, weights=None)).updates[0].copy()
    return again


def _shortened(seed: int, task: Task, update: Floats) -> Floats:
    """A client that sends a share of its update leaves out random coordinates."""
    if task.sent is None:
        return update
    columns = np.arange(update.size) + task.number * update.size
    kept: Floats = np.where(uniforms(seed, "sent", task.client, columns) < task.sent, update, np.float32(0))
    return kept


def _built_by(recipe: Recipe) -> Built:
    """Plan and world, made when they are first needed."""
    with _building:
        found = _lent.get(recipe.key) or _built.get(recipe.key)
        if found is None:
            if not recipe.build:
                raise RunError("this endpoint cannot make the population: it was given from Python")
            found = _built[recipe.key] = Built(*imported(recipe.build, "recipe")(recipe.text))
            while len(_built) > KEPT:
                _built.popitem(last=False)
        return found


def attached(address: str) -> Any:
    """The data plane of that address, in this process."""
    if address in _planes:
        return _planes[address]
    from horae import data_planes

    return data_planes.attach(address)


def _outlive_nobody() -> None:
    parent = parent_process()
    if parent is not None:
        with suppress(OSError):
            parent.join()
        os._exit(1)
