"""A round as tasks; and what cannot be sent anywhere yet."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from horae.channels.feedback import parted
from horae.engines.dispatch import Errand
from horae.engines.messages import Recipe, Task
from horae.engines.parcels import small_model
from horae.engines.site import Site
from horae.engines.worker import INLINE
from horae.errors import require
from horae.pure.packing import pack
from horae.types import Keeping, Late, Personal, Plan, Ref, Round

REMEDY = "leave [site] away to simulate it"


def refuse(plan: Plan, far: bool = False) -> None:
    """Refuse, before any work, what needs more than one message each way; and, where clients are far away, what needs
    their samples here. Errors: ConfigError.
    """
    algorithm = plan.algorithm
    own = isinstance(algorithm, Keeping) or (isinstance(algorithm, Personal) and algorithm.tuning.remembered)
    should = "be one whose clients keep nothing between rounds, with a site"
    require(not own, "algorithm", should, type(algorithm).__name__.lower(), REMEDY)
    for family, part in (("algorithm", algorithm), ("selector", plan.selector)):
        late = isinstance(part, Late) and part.staleness > 0
        require(not late, family, "use no late replies, with a site", type(part).__name__.lower(), REMEDY)
    require(parted(plan.channels) is None, "channels", "go without feedback, with a site", "feedback", REMEDY)
    summed = far and getattr(plan.alignment, "protocol", "run") == "sum"
    should, remedy = 'be "run" where clients own their data: a sum needs every client\'s counts here', "leave it away"
    require(not summed, "alignment.protocol", should, "sum", remedy)


def address_of(plan: Plan) -> str:
    """How a worker reaches the data plane; a plane without an address is this process's own."""
    return str(getattr(plan.data_plane, "address", INLINE))


@dataclass(frozen=True)
class Sent:
    """A round as tasks. extras: what they all read beside the model; models: those of fewer weights, one for each
    submodel. Both are the round's, to be evicted with it.
    """

    errands: list[Errand]
    extras: Ref | None
    models: tuple[Ref, ...]


def errands(
    plan: Plan, round: Round, recipe: Callable[[int], Recipe], site: Site, token: int, at_s: float,
    letters: Callable[[int], bytes] = lambda client: b"", apart: Collection[int] = (),
) -> Sent:  # fmt: skip
    """One task for each of the invited. Its keys are the controller's, so that nothing stays behind wherever a task
    ends. recipe, letters: by client. apart: clients who do not reach the data plane; their arrays go in the message, as
    small ones do (`site.reference_above`).
    """
    parcels, address = Parcels(plan, round), address_of(plan)
    small = address.startswith(INLINE) or round.model.nbytes <= site.reference_above
    which = np.zeros(round.invited.size, np.int64) if round.held is None else round.held.of(round.invited.size)
    found = []
    for row, (client, i) in enumerate(zip(round.invited.tolist(), which.tolist(), strict=True)):
        near = small or client in apart
        task = Task(
            recipe(client), INLINE if near else address, parcels.name(i, near), _key(plan, near, round, client), client,
            round.number, round.path, None if near else parcels.shared, parcels.payload(i) if near else b"",
            round.lr_scale, round.correction.prox, _at(round.efforts, row), _at(round.sent, row),
            int(getattr(plan.clustering, "dims", 0) or 0), at_s, min(site.timeout_s, round.deadline_s), letters(client),
        )  # fmt: skip
        found.append(Errand(token, row, task))
    return Sent(found, parcels.put_extras, tuple(parcels.put_models))


def by_message(plan: Plan, round: Round, task: Task) -> Task:
    """The same task with its arrays in the message, for a client who does not reach the data plane."""
    parcels = Parcels(plan, round)
    i = 0
    if round.held is not None:
        i = int(round.held.of(round.invited.size)[np.flatnonzero(round.invited == task.client)[0]])
    out = _key(plan, True, round, task.client)
    return replace(task, plane=INLINE, model=parcels.name(i, True), out=out, extras=None, payload=parcels.payload(i))


class Parcels:
    """What a round's clients are sent, made when it is first needed: the living weights alone, where some are dropped.

    put_extras, put_models: what lies on the plane for them.
    """

    def __init__(self, plan: Plan, round: Round) -> None:
        self._plan, self._round, self._extras = plan, round, _extras(round)
        self._payloads: dict[int, bytes] = {}
        self._refs: dict[int, Ref] = {}
        self.put_extras: Ref | None = None

    @property
    def put_models(self) -> list[Ref]:
        """Models beside the round's own."""
        return [] if self._round.held is None else list(self._refs.values())

    @property
    def shared(self) -> Ref | None:
        """Where all of them find what goes beside the model."""
        if self._extras and self.put_extras is None:
            self.put_extras = self._plan.data_plane.put(self._extras, self._round.path)
        return self.put_extras

    def name(self, i: int, near: bool) -> Ref:
        """The i-th submodel's name, and how many bytes it takes."""
        if self._round.held is None:
            return self._round.model
        if near:
            nbytes = sum(array.nbytes for array in self._arrays(i).values())
            return Ref(f"{self._round.model.key}/{i}", nbytes)
        if i not in self._refs:
            self._refs[i] = self._plan.data_plane.put(self._arrays(i), self._round.path)
        return self._refs[i]

    def payload(self, i: int) -> bytes:
        """The same in a message."""
        if i not in self._payloads:
            self._payloads[i] = pack((self._arrays(i), self._extras))
        return self._payloads[i]

    def _arrays(self, i: int) -> dict[str, Any]:
        dense = self._plan.data_plane.get(self._round.model)
        return dict(dense) if self._round.held is None else small_model(dense, self._round.held.submodels[i])


def _extras(round: Round) -> dict[str, Any]:
    """What the tasks of a round share beside the model."""
    found: dict[str, Any] = {}
    if round.correction.drift is not None:
        found["drift"] = round.correction.drift
    if round.target is not None:
        found["target"] = round.target
    return found


def _key(plan: Plan, near: bool, round: Round, client: int) -> str:
    if near:
        return f"{round.model.key}/{client}"
    return str(plan.data_plane.reserve(round.path, f"{round.number}-{client}"))


def _at(column: Any, row: int) -> float | None:
    return None if column is None else float(column[row])
