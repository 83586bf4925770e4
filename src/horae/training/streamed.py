"""Updates that are asked as they come, one client after the other, and let go: for rounds too large to hold."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from horae.types import Bools, Doubles, Floats, Updates

HELD = 2**27  # numbers of a round's updates, beyond which they are not held: 512 MiB
BLOCK = 2**18  # weights that are added at once

log = logging.getLogger(__name__)


def large(clients: int, params: int) -> bool:
    """Whether a round's updates are too many numbers to be held."""
    return clients * params > HELD


@dataclass(frozen=True)
class Wanted:
    """What a round's updates will be asked, said before anybody trains.

    weights `(q,)`: of the sum, up to a factor. dims: of the sketch; 0: none. ways `(ways, params)`: the directions of
    the inner products; None: none.
    """

    weights: Doubles
    dims: int = 0
    ways: Floats | None = None

    @property
    def shares(self) -> Doubles:
        """The weights, so that they sum to one; or are all zero."""
        total = self.weights.sum()
        return self.weights / total if total > 0 else np.zeros(self.weights.shape)


class Answers:
    """What updates have answered so far. total `(params,)`: Σ_i share_i update_i over those that are finite.

    Clients are added one after the other, in float32, as `RemoteUpdates` does: neither workers nor chunks move a bit.
    lengths `(q,)`, folded `(q, dims)`, inner `(q, ways)`: by client. mark: of the directions, which are let go.
    """

    def __init__(self, wanted: Wanted, params: int) -> None:
        q, ways = len(wanted.weights), 0 if wanted.ways is None else len(wanted.ways)
        self.wanted, self.total, self.lengths = wanted, np.zeros(params, np.float32), np.zeros(q)
        self.folded = np.zeros((q, min(wanted.dims, params)), np.float32)
        self.inner, self.mark = np.zeros((q, ways), np.float32), b""
        self._shares, self._room = wanted.shares.astype(np.float32), np.empty(BLOCK, np.float32)

    def hear(self, first: int, rows: Floats) -> None:
        """Ask the updates `rows` of the clients from position `first` on; they are not needed afterwards."""
        wanted = self.wanted
        for i, row in enumerate(rows, first):
            alone = Updates(row[None])
            self.lengths[i] = alone.norms()[0]
            if wanted.dims:
                self.folded[i] = alone.sketch(wanted.dims)[0]
            if wanted.ways is not None:
                self.inner[i] = wanted.ways @ row
            if np.isfinite(self.lengths[i]):
                self._add(self._shares[i], row)

    def closed(self) -> Answers:
        """Everybody was asked: of the directions, which are as long as models, a mark is enough."""
        self.mark, self.wanted = _mark(self.wanted.ways), replace(self.wanted, ways=None)
        return self

    def _add(self, share: np.float32, row: Floats) -> None:
        for first in range(0, row.size, BLOCK):
            part = row[first : first + BLOCK]
            self.total[first : first + BLOCK] += np.multiply(part, share, out=self._room[: part.size])


class Streamed(Updates):
    """The same questions as `Updates`, answered before they were asked, as far as they were foreseen.

    answers: to `Wanted`. again: trains the same clients once more, for whatever was not foreseen; None: their updates
    are held. here `(q,)`: which clients these are.
    """

    def __init__(self, answers: Answers, again: Callable[[Wanted | None], Updates], here: Bools | None = None) -> None:
        self.answers, self._again = answers, again
        self.here = np.ones(len(answers.lengths), bool) if here is None else here

    def __len__(self) -> int:
        return int(self.here.sum())

    @property
    def rows(self) -> Floats:
        """All updates, `(clients, params)`: trained once more."""
        return self._held("their rows").rows

    def combine(self, weights: Doubles) -> Floats:
        """Σ_i weights_i update_i, `(params,)`, summed in client order: the foreseen sum, or a multiple of it."""
        shares = self.answers.wanted.shares
        added, mine = np.isfinite(self.answers.lengths) & (shares > 0), shares[self.here]
        if np.isfinite(self.norms()).all() and not (added & ~self.here).any() and added.any():
            if np.array_equal(weights, mine):
                return self.answers.total
            factor = weights.sum() / mine.sum()
            if np.allclose(weights, factor * mine, rtol=1e-9, atol=0):
                return np.asarray(np.float32(factor) * self.answers.total)
        return self._held("another sum").combine(weights)

    def norms(self) -> Doubles:
        """The L2 norm of each update, `(clients,)`."""
        return self.answers.lengths[self.here]

    def only(self, rows: Bools) -> Streamed:
        """The updates of some participants."""
        here = self.here.copy()
        here[self.here] = rows
        return Streamed(self.answers, self._again, here)

    def sketch(self, dims: int) -> Floats:
        """As `Updates.sketch`."""
        if dims != self.answers.wanted.dims:
            return self._asked_again(f"a sketch of {dims}", replace(self.answers.wanted, dims=dims)).sketch(dims)
        return self.answers.folded[self.here]

    def along(self, ways: Floats) -> Floats:
        """Inner products with some directions `(ways, params)`: `(clients, ways)`."""
        if self.answers.mark != _mark(ways):
            return self._asked_again("other directions", replace(self.answers.wanted, ways=ways)).along(ways)
        return self.answers.inner[self.here]

    def gram(self) -> Floats:
        """All inner products, `(clients, clients)`: trained once more."""
        return self._held("their products").gram()

    def columns(self, part: slice) -> Floats:
        """A slice of coordinates of every update, `(clients, width)`: trained once more."""
        return self._held("their columns").columns(part)

    def _held(self, what: str) -> Updates:
        return self._asked_again(what, None)

    def _asked_again(self, what: str, wanted: Wanted | None) -> Updates:
        log.warning("a round's updates were asked for %s, which was not foreseen: its clients train again", what)
        return self._again(wanted).only(self.here)


def _mark(ways: Floats | None) -> bytes:
    """Something short that other directions do not have."""
    return b"" if ways is None else hashlib.blake2b(np.ascontiguousarray(ways).data, digest_size=16).digest()
