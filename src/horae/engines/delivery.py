"""An update's way from the client to the server: a share of it, its living weights, the channels, packed bytes."""

from __future__ import annotations

import numpy as np

from horae.channels.feedback import parted, remembered, wanted
from horae.engines.vectors import Vectors
from horae.engines.wire import send
from horae.pure.streams import stream, uniforms
from horae.types import Channel, Floats, Ints, Path, Round, State, Submodel


class Delivery:
    """What the server reads of updates.

    Where channels have `feedback`, clients remember what it did not read, for as long as they stay in their cohort or
    move on to one of its children: what another model was owed is nothing to this one.
    """

    def __init__(self, channels: tuple[Channel, ...], seed: int) -> None:
        self._channels, self._seed, self._owed = channels, seed, Vectors()
        self._parts = parted(channels)
        self._home: dict[int, Path] = {}

    def read(self, round: Round, rows: Ints, updates: Floats) -> Floats:
        """The updates `(rows, params)` of some of the invited, as they arrive. Who sends a share of its update leaves
        out random coordinates.
        """
        if round.sent is not None:
            shares, columns = round.sent[rows], np.arange(updates.shape[1]) + round.number * updates.shape[1]
            draws = [uniforms(self._seed, "sent", c, columns) for c in round.invited[rows]]
            updates = np.where(np.array(draws) < shares[:, None], updates, np.float32(0))
        if not self._channels and round.held is None:
            return updates
        out, held = np.empty_like(updates), round.held
        which = None if held is None else held.only(rows).of(len(rows))
        for row, client in enumerate(round.invited[rows].tolist()):
            rng = stream(self._seed, "channel", round.number, *round.path, client)
            submodel = None if held is None or which is None else held.submodels[which[row]]
            out[row] = self._one(client, updates[row], submodel, rng, round.path)
        return out

    def snapshot(self) -> State:
        """What clients remember, and of which cohort."""
        return self._owed.snapshot(), dict(self._home)

    def restore(self, state: State) -> None:
        """Back to a snapshot."""
        owed, home = state
        self._owed.restore(owed)
        self._home = dict(home)

    def _one(
        self, client: int, update: Floats, submodel: Submodel | None, rng: np.random.Generator, path: Path
    ) -> Floats:
        small = update if submodel is None else submodel.gather(update)
        if self._parts is None:
            read, _ = send(self._channels, small, rng, submodel)
            return read if submodel is None else submodel.scatter(read)
        before, after = self._parts
        for channel in before:
            small = channel.encode(small, rng)
        who, home = np.array([client]), self._home.get(client, path)
        owed = self._owed.of(who, np.zeros(update.size, np.float32))[0]
        if path[: len(home)] != home:
            owed = np.zeros_like(owed)
        self._home[client] = path
        memory = owed if submodel is None else submodel.gather(owed)
        want = wanted(small, memory)
        read, _ = send(after, want, rng, submodel)
        left = remembered(want, read, memory)
        self._owed.put(who, (left if submodel is None else submodel.scatter(left))[None])
        for channel in reversed(before):
            read = channel.decode(read)
        return read if submodel is None else submodel.scatter(read)
