"""The character LSTM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula

from horae.errors import require
from horae.training.models.limits import MOST_LAYERS, afford, counts, tokens
from horae.training.models.tokens import Table


@dataclass(frozen=True)
class CharLstm:
    """A character model: an embedding, LSTM layers, one linear layer at each position or at the last.

    Samples are int64 `(length,)`. every: true answers every position, `(n, length, classes)`, false only the last,
    `(n, classes)`. vocabulary: how many characters there are; 0 is as many as classes. units: of each LSTM layer.

    Source: McMahan et al. (AISTATS 2017), section 3, and LEAF's Shakespeare: embedding 8, two layers of 256.
    Reading: torch's LSTM has two biases for each gate, where the papers' has one.
    """

    embedding: int = 8
    units: int = 256
    layers: int = 2
    every: bool = True
    vocabulary: int = 0

    def __post_init__(self) -> None:
        counts(self, "embedding", "units", "layers")
        require(self.layers <= MOST_LAYERS, "model.layers", f"be <= {MOST_LAYERS}", self.layers)
        check_vocabulary(self.vocabulary)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """819,920 parameters for 80 characters."""
        tokens(shape, "char-lstm")
        characters = self.vocabulary or classes
        gates = 4 * self.units * (self.embedding + (2 * self.layers - 1) * self.units + 2 * self.layers)
        afford("model.units", characters * self.embedding + gates + (self.units + 1) * classes)
        return Reader(self, characters, classes)


class Reader(nn.Module):
    """Embedding, LSTM, linear layer."""

    def __init__(self, model: CharLstm, characters: int, classes: int) -> None:
        super().__init__()
        self.table = Table(characters, model.embedding, "model.vocabulary")
        self.lstm = nn.LSTM(model.embedding, model.units, model.layers, batch_first=True)
        self.head = nn.Linear(model.units, classes)
        self.every = model.every

    def forward(self, x: Tensor) -> Tensor:
        """int64 `(n, length)` to `(n, length, classes)` or `(n, classes)`."""
        states, _ = self.lstm(self.table(x))
        answer: Tensor = self.head(states if self.every else states[:, -1])
        return answer


def check_vocabulary(vocabulary: object) -> None:
    """Refuse what is no number of tokens."""
    ok = isinstance(vocabulary, int) and vocabulary >= 0
    require(ok, "model.vocabulary", "be a whole number >= 0", vocabulary, "0 is as many as classes")


def _count_fused_lstm() -> None:
    """Teach torch's counter the fused LSTM layer of CPUs, which it leaves out: 2 · length · n · (|W_ih| + |W_hh|)."""

    def flops(x: Any, inputs: Any, states: Any, *_: Any, **__: Any) -> int:
        length, n, _features = x
        return int(2 * length * n * (inputs[0] * inputs[1] + states[0] * states[1]))

    register_flop_formula(torch.ops.aten.mkldnn_rnn_layer)(flops)


_count_fused_lstm()
