"""Wide linear layers of clients in lock-step, without any client's weights: each is the start and what was added.

A step adds an outer product of slopes and inputs, so after s steps of SGD (as in `span`)

    W_s = a_s W_0 - Σ_{t<s} b_st dY_t^T X_t
    Y   = X W_s^T = a_s X W_0^T - Σ_{t<s} b_st (X X_t^T) dY_t
    dX  = dY W_s  = a_s dY W_0 - Σ_{t<s} b_st (dY dY_t^T) X_t

The products with W_0 are shared by a chunk of clients.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from horae.training.conv_layers import Linear
from horae.types import Ints


@dataclass
class Wide:
    """One layer of k clients.

    start `(out, in)`. inputs `(k, steps, batch, in)`, slopes `(k, steps, batch, out)`: zero until they are known; batch
    is what these clients need. coefficients `(steps + 1, steps + 1)`: in row s, a_s and then -b_st.
    """

    layer: Linear
    start: Tensor
    inputs: Tensor
    slopes: Tensor
    coefficients: Tensor

    def forward(self, step: int, rows: list[Tensor], biases: list[Tensor] | None) -> list[Tensor]:
        """Answers of the first clients to their rows `(count, in)`, fewer than a batch perhaps."""
        active, counts = len(rows), [len(x) for x in rows]
        x = self._filled(self.inputs, step, rows)
        y = torch.mm(x.flatten(0, 1), self.start.T).view(active, x.shape[1], -1)
        self._add(y, step, x, self.inputs, self.slopes)
        if biases is not None:
            y += torch.stack(biases).unsqueeze(1)
        return [own[:count] for own, count in zip(y, counts, strict=True)]

    def backward(self, step: int, rows: list[Tensor]) -> list[Tensor]:
        """Slopes of the inputs, from those of the answers `(count, out)`."""
        active, counts = len(rows), [len(dy) for dy in rows]
        dy = self._filled(self.slopes, step, rows)
        dx = torch.mm(dy.flatten(0, 1), self.start).view(active, dy.shape[1], -1)
        self._add(dx, step, dy, self.slopes, self.inputs)
        return [own[:count] for own, count in zip(dx, counts, strict=True)]

    def _filled(self, history: Tensor, step: int, rows: list[Tensor]) -> Tensor:
        """The rows as one array, zeros where they are short; the history holds them too."""
        for k, own in enumerate(rows):
            history[k, step, : len(own)] = own
        return history[: len(rows), step].contiguous()

    def _add(self, out: Tensor, step: int, new: Tensor, alike: Tensor, other: Tensor) -> None:
        """out ← a out - Σ_t b_t (new alike_t^T) other_t."""
        if float(self.coefficients[step, 0]) != 1.0:
            out *= self.coefficients[step, 0]
        if step:
            active, batch = out.shape[:2]
            inner = torch.bmm(new, alike[:active, :step].flatten(1, 2).transpose(1, 2))
            inner *= self.coefficients[step, 1 : step + 1].repeat_interleave(batch)
            out.baddbmm_(inner, other[:active, :step].flatten(1, 2))


def ended(wide: Wide, taken: Ints) -> Tensor:
    """Weigh each client's slopes as they count after the steps it has taken `(k,)`; what w_0 counts then, less 1."""
    last = wide.coefficients[torch.from_numpy(taken)]
    wide.slopes *= last[:, 1:, None, None]
    return last[:, 0] - 1
