"""A small ALBERT."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, softmax

from horae.errors import require
from horae.training.models.limits import MOST_LAYERS, afford, counts, tokens
from horae.training.models.recurrent import check_vocabulary
from horae.training.models.tokens import Table

STD = 0.02  # of the first weights


@dataclass(frozen=True)
class Albert:
    """ALBERT: a factorised embedding, and one transformer block that all layers share.

    Samples are int64 `(length,)`. dim, heads, ff: the block's width, its attention heads, the width between its last
    two products. layers: how often it is used. causal: a position sees only what stands before it, as predicting the
    next token needs. every, vocabulary: as of char-lstm. Where there are as many tokens as classes, the table of tokens
    is the last layer, too.

    Source: Lan et al., "ALBERT" (ICLR 2020), sections 3.1 and 3.2; the base model has vocabulary 30000, embedding 128,
    dim 768, 12 heads, ff 3072. Reading: no kinds of sentences, no pooler, no dropout; causal where the paper masks.
    """

    embedding: int = 32
    dim: int = 128
    heads: int = 4
    ff: int = 512
    layers: int = 4
    causal: bool = True
    every: bool = True
    vocabulary: int = 0

    def __post_init__(self) -> None:
        counts(self, "embedding", "dim", "heads", "ff", "layers")
        require(self.layers <= MOST_LAYERS, "model.layers", f"be <= {MOST_LAYERS}", self.layers)
        require(self.dim % self.heads == 0, "model.heads", f"divide model.dim {self.dim}", self.heads)
        check_vocabulary(self.vocabulary)

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """For samples of this length, and no longer ones."""
        length, words = tokens(shape, "albert"), self.vocabulary or classes
        table = (words + length + classes + self.dim) * (self.embedding + 1)
        afford("model.dim", table + (4 * self.dim + 2 * self.ff + 9) * (self.dim + 1) + self.ff)
        net = Network(self, words, length, classes)
        for part in net.modules():
            if isinstance(part, nn.Linear | nn.Embedding):
                nn.init.trunc_normal_(part.weight, std=STD, a=-2 * STD, b=2 * STD)
            if isinstance(part, nn.Linear):
                nn.init.zeros_(part.bias)
        return net


class Encoder(nn.Module):
    """Tokens and their places to vectors of `dim`, and the shared block, `layers` times."""

    def __init__(self, model: Albert, words: int, length: int) -> None:
        super().__init__()
        self.words = Table(words, model.embedding, "model.vocabulary")
        self.places = nn.Embedding(length, model.embedding)
        self.norm = nn.LayerNorm(model.embedding)
        self.lift = nn.Linear(model.embedding, model.dim)
        self.block, self.layers = Block(model), model.layers

    def forward(self, x: Tensor) -> Tensor:
        """int64 `(n, length)` to `(n, length, dim)`."""
        state: Tensor = self.lift(self.norm(self.words(x) + self.places.weight[: x.shape[1]]))
        for _ in range(self.layers):
            state = self.block(state)
        return state


class Block(nn.Module):
    """Attention, then two linear layers with GELU between; after each the sum with its input, and LayerNorm."""

    def __init__(self, model: Albert) -> None:
        super().__init__()
        d, self.heads, self.causal = model.dim, model.heads, model.causal
        self.query, self.key, self.value, self.out = (nn.Linear(d, d) for _ in range(4))
        self.norm = nn.LayerNorm(d)
        self.up, self.down = nn.Linear(d, model.ff), nn.Linear(model.ff, d)
        self.last_norm = nn.LayerNorm(d)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, length, dim)` to the same shape."""
        seen = self.norm(x + self.out(self._attention(x)))
        answer: Tensor = self.last_norm(seen + self.down(gelu(self.up(seen))))
        return answer

    def _attention(self, x: Tensor) -> Tensor:
        """softmax(Q Kᵀ / √d) V, head by head."""
        q, k, v = (
            part(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
        if self.causal:
            length = x.shape[1]
            later = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(later, -math.inf)
        mixed: Tensor = softmax(scores, 3) @ v
        return mixed.transpose(1, 2).flatten(2)


class Network(nn.Module):
    """The encoder, and a head of a linear layer with GELU and LayerNorm before the last product."""

    def __init__(self, model: Albert, words: int, length: int, classes: int) -> None:
        super().__init__()
        self.encoder = Encoder(model, words, length)
        self.lower, self.norm = nn.Linear(model.dim, model.embedding), nn.LayerNorm(model.embedding)
        self.bias = nn.Parameter(torch.zeros(classes))
        self.answers = None if words == classes else nn.Embedding(classes, model.embedding)
        self.every = model.every

    def forward(self, x: Tensor) -> Tensor:
        """int64 `(n, length)` to `(n, length, classes)` or `(n, classes)`."""
        state = self.encoder(x)
        low = self.norm(gelu(self.lower(state if self.every else state[:, -1])))
        table = self.encoder.words if self.answers is None else self.answers
        return linear(low, table.weight, self.bias)
