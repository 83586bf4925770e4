"""Rows of a table by number: what words, characters and hashed features go through first."""

from __future__ import annotations

from torch import Tensor, nn

from horae.errors import require


class Table(nn.Embedding):
    """An embedding that says in one line which field is too small for a number it meets."""

    def __init__(self, rows: int, width: int, field: str, padding_idx: int | None = None) -> None:
        super().__init__(rows, width, padding_idx=padding_idx)
        self.field = field

    def forward(self, input: Tensor) -> Tensor:
        """int64 `(...)` to `(..., width)`. Errors: ConfigError for a number that has no row."""
        if input.numel() and not input.is_meta:
            low, high = (int(end) for end in input.aminmax())
            require(low >= 0, "the samples", "be whole numbers >= 0", low, "0 is the first, or nothing at all")
            fits = high < self.num_embeddings
            require(fits, self.field, f"be >= {high + 1}, the samples go up to {high}", self.num_embeddings, "raise it")
        return super().forward(input)
