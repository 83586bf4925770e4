"""A round as tasks; and what cannot be sent anywhere yet."""

from __future__ import annotations

from typing import Any

import numpy as np

from horae.alignment import Off
from horae.channels.feedback import parted
from horae.clustering import Oracle, Single
from horae.engines.dispatch import Errand
from horae.engines.messages import Recipe, Task
from horae.engines.site import Site
from horae.engines.worker import INLINE
from horae.errors import require
from horae.pure.packing import pack
from horae.types import Keeping, Late, Personal, Plan, Ref, Round

REMEDY = "leave [site] away to simulate it"


def refuse(plan: Plan) -> None:
    """Refuse, before any work, what needs more than one message each way. Errors: ConfigError."""
    algorithm = plan.algorithm
    own = isinstance(algorithm, Keeping) or (isinstance(algorithm, Personal) and algorithm.tuning.remembered)
    should = "be one whose clients keep nothing between rounds, with a site"
    require(not own, "algorithm", should, type(algorithm).__name__.lower(), REMEDY)
    for family, part in (("algorithm", algorithm), ("selector", plan.selector)):
        late = isinstance(part, Late) and part.staleness > 0
        require(not late, family, "use no late replies, with a site", type(part).__name__.lower(), REMEDY)
    require(parted(plan.channels) is None, "channels", "go without feedback, with a site", "feedback", REMEDY)
    aligned = not isinstance(plan.alignment, Off) and not isinstance(plan.clustering, Single | Oracle)
    should = "be off where the clustering reads updates, with a site"
    require(not aligned, "alignment", should, type(plan.alignment).__name__.lower(), REMEDY)


def address_of(plan: Plan) -> str:
    """How a worker reaches the data plane; a plane without an address is this process's own."""
    return str(getattr(plan.data_plane, "address", INLINE))


def errands(
    plan: Plan, round: Round, recipe: Recipe, site: Site, token: int, at_s: float
) -> tuple[Ref | None, list[Errand]]:
    """One task for each of the invited, and the name of what they all read beside the model. Its keys are the
    controller's, so that nothing stays behind wherever a task ends.
    """
    address, extras, payload = address_of(plan), _extras(round), b""
    ref: Ref | None = None
    if address.startswith(INLINE):
        payload = pack((dict(plan.data_plane.get(round.model)), extras))
    elif extras:
        ref = plan.data_plane.put(extras, round.path)
    which = None if round.held is None else round.held.of(round.invited.size)
    found = []
    for row, client in enumerate(round.invited.tolist()):
        task = Task(
            recipe, address, round.model, _key(plan, address, round, client), client, round.number, round.path, ref,
            payload, round.lr_scale, round.correction.prox, _at(round.efforts, row), _at(round.sent, row),
            -1 if which is None else int(which[row]), int(getattr(plan.clustering, "dims", 0) or 0), at_s,
            min(site.timeout_s, round.deadline_s),
        )  # fmt: skip
        found.append(Errand(token, row, task))
    return ref, found


def _extras(round: Round) -> dict[str, Any]:
    """What the tasks of a round share beside the model."""
    masks = () if round.held is None else round.held.submodels
    found: dict[str, Any] = {f"mask/{i}": np.packbits(s.keep) for i, s in enumerate(masks)}
    if round.correction.drift is not None:
        found["drift"] = round.correction.drift
    if round.target is not None:
        found["target"] = round.target
    return found


def _key(plan: Plan, address: str, round: Round, client: int) -> str:
    if address.startswith(INLINE):
        return f"{round.model.key}/{client}"
    return str(plan.data_plane.reserve(round.path, f"{round.number}-{client}"))


def _at(column: Any, row: int) -> float | None:
    return None if column is None else float(column[row])
