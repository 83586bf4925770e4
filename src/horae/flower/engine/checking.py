"""What a node may say: a client can lie about itself alone, in the right form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from horae.engines.messages import Answer, ClientFailure, Message, Reply, Task
from horae.engines.parcels import MASK, opened, probe_in, submodel_of
from horae.engines.views import probed
from horae.errors import HoraeError
from horae.pure.packing import PackingError, unpack
from horae.types import Ints, Plan, Updates

SLACK = 1 << 20  # bytes beside the arrays that are expected
REFUSED = "refused"


@dataclass(frozen=True)
class Checker:
    """Reads replies as if nobody could be trusted. sizes: how many samples these clients said that they have when they
    came; n_params, n_buffers: of the model.
    """

    plan: Plan
    n_params: int
    n_buffers: int
    sizes: Callable[[Ints], Ints]

    def most(self, task: Message) -> int:
        """Bytes that the answer to this may have."""
        if isinstance(task, Task):
            return 2 * 4 * self.n_params + SLACK
        return 16 * 4 * self.n_params + 16 * SLACK  # an exploration has sums of 8 bytes

    def __call__(self, task: Message, said: Any) -> Any:
        """The same, in the coordinator's own numbers; or why not."""
        if isinstance(said, ClientFailure):
            return replace(said, client=task.client)
        if said.client != task.client:
            return ClientFailure(task.client, REFUSED, f"it answers for client {said.client}")
        if isinstance(task, Task) and isinstance(said, Reply):
            return self._reply(task, said)
        if isinstance(task, Task) == isinstance(said, Answer):
            return ClientFailure(task.client, REFUSED, f"a {type(said).__name__} is no answer to that")
        return said

    def _reply(self, task: Task, said: Reply) -> Reply | ClientFailure:
        if said.ref.key != task.out:
            return ClientFailure(task.client, REFUSED, "it put its update elsewhere")
        own = int(self.sizes(np.array([task.client]))[0])
        if not said.samples >= 0 or said.steps < 0 or not np.isfinite(said.loss):
            return ClientFailure(task.client, REFUSED, "samples, steps or loss that cannot be")
        buffers = np.frombuffer(said.buffers, np.float32) if len(said.buffers) == 4 * self.n_buffers else None
        if buffers is None or not np.isfinite(buffers).all():
            return ClientFailure(task.client, REFUSED, f"buffers other than {self.n_buffers} finite numbers")
        said = replace(said, samples=min(said.samples, max(own, 1)))
        return self._measured(task, said) if said.payload else said

    def _measured(self, task: Task, said: Reply) -> Reply | ClientFailure:
        """Norm and sketch are worked out here: an update that is not what it says is its client's own."""
        try:
            model, extras = unpack(task.payload) if task.payload else ({}, {})
            submodel = submodel_of(model, self.n_params) if MASK in model else None
            arrays = unpack(said.payload)
            update = opened(self.plan.channels, arrays, submodel)
            shown = probe_in(arrays, submodel) if probed(self.plan, extras.get("target")) else update
        except (HoraeError, PackingError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
            return ClientFailure(task.client, REFUSED, f"its update cannot be read: {error}")
        odd = next((each.shape for each in (update, shown) if each.shape != (self.n_params,)), None)
        if odd is not None:
            return ClientFailure(task.client, REFUSED, f"an update of shape {odd}, not ({self.n_params},)")
        if shown is not update and not np.isfinite(shown).all():
            return ClientFailure(task.client, REFUSED, "a second update that is not finite")
        sketch = np.ascontiguousarray(Updates(shown[None]).sketch(task.dims)).tobytes() if task.dims else b""
        return replace(said, norm=float(Updates(update[None]).norms()[0]), sketch=sketch)
