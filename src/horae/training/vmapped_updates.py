"""Updates that stay where they were trained, in pieces, and are asked there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from horae.types import Bools, Doubles, Floats, Updates
from horae.types.values import signs


class Resident(Updates):
    """The same questions as `Updates`, answered on the device; what comes back is as long as the answer.

    pieces: of some clients each, `(clients, params)`, in the order of the round, on a GPU or not. `rows` takes a piece
    after the other off the device.
    """

    def __init__(self, pieces: Sequence[Tensor], params: int) -> None:
        self.pieces, self.params = tuple(pieces), params

    def __len__(self) -> int:
        return sum(len(piece) for piece in self.pieces)

    @property
    def rows(self) -> Floats:
        """All updates, `(clients, params)`: for whoever cannot do without."""
        return self.columns(slice(None))

    @torch.no_grad()
    def combine(self, weights: Doubles) -> Floats:
        """Σ_i weights_i update_i, `(params,)`: piece by piece, added up in their order."""
        shares, total = torch.from_numpy(weights.astype(np.float32)), torch.zeros(self.params)
        for piece, share in zip(self.pieces, self._split(shares), strict=True):
            total = total.to(piece.device) + share.to(piece.device) @ piece
        return np.asarray(total.cpu().numpy())

    @torch.no_grad()
    def norms(self) -> Doubles:
        """The L2 norm of each update, `(clients,)`."""
        found = [torch.linalg.vector_norm(row).cpu().double() for piece in self.pieces for row in piece]
        return np.array([float(norm) for norm in found], np.float64)

    @torch.no_grad()
    def only(self, rows: Bools) -> Resident:
        """The updates of some participants."""
        kept = self._split(torch.from_numpy(np.asarray(rows, np.bool_)))
        pieces = [piece[keep.to(piece.device)] for piece, keep in zip(self.pieces, kept, strict=True)]
        return Resident([piece for piece in pieces if len(piece)], self.params)

    @torch.no_grad()
    def sketch(self, dims: int) -> Floats:
        """As `Updates.sketch`: a row is folded after the other."""
        if self.params <= dims:
            return self.rows
        out, whole = np.empty((len(self), dims), np.float32), self.params // dims * dims
        flip, at = torch.from_numpy(signs(self.params, dims)), 0
        for piece in self.pieces:
            sign = flip.to(piece.device)
            for row in piece:
                turned = row * sign
                folded = turned[:whole].view(-1, dims).sum(0)
                folded[: self.params - whole] += turned[whole:]
                out[at], at = folded.cpu().numpy(), at + 1
        return out

    @torch.no_grad()
    def along(self, ways: Floats) -> Floats:
        """Inner products with some directions `(ways, params)`: `(clients, ways)`."""
        there = torch.from_numpy(np.ascontiguousarray(ways, np.float32).T)
        return self._together([piece @ there.to(piece.device) for piece in self.pieces], len(ways))

    @torch.no_grad()
    def gram(self) -> Floats:
        """All inner products, `(clients, clients)`."""
        bands = [
            torch.cat([(piece @ other.to(piece.device).T).cpu() for other in self.pieces], 1) for piece in self.pieces
        ]
        return self._together(bands, len(self))

    @torch.no_grad()
    def columns(self, part: slice) -> Floats:
        """A slice of coordinates of every update, `(clients, width)`."""
        first, end, step = part.indices(self.params)
        if step < 0:  # torch takes no such slice
            return self.rows[:, part]
        return self._together([piece[:, first:end:step] for piece in self.pieces], len(range(first, end, step)))

    def _split(self, column: Tensor) -> Sequence[Tensor]:
        """A number of each client, by piece."""
        return torch.split(column, [len(piece) for piece in self.pieces]) if self.pieces else ()

    def _together(self, parts: Sequence[Tensor], width: int) -> Floats:
        """Parts under each other in this machine's memory."""
        out, at = np.empty((len(self), width), np.float32), 0
        for part in parts:
            out[at : at + len(part)] = part.cpu().numpy()
            at += len(part)
        return out
