"""Counts of words in scipy's sparse matrices, as rows of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse

from horae.population.rows import demand

WIDEST = 2**16  # words of a sample: every other sample gets as much room


def written_out(clients: Sequence[tuple[ArrayLike, ArrayLike]]) -> Sequence[tuple[ArrayLike, ArrayLike]]:
    """Clients whose x are sparse matrices of counts `(n, words)` with int32 rows of numbers in their place, as
    `sparse-logistic` reads them; any others as they are.

    Column j is number j + 1, as often as it is counted; behind the last stand zeros, so that all clients' rows are as
    long as the longest. Raises DataError.

    >>> written_out([(csr_array([[0, 2, 1], [1, 0, 0]]), [0, 1])])[0][0]
    array([[2, 2, 3],
           [1, 0, 0]], dtype=int32)
    """
    pairs = [pair for pair in clients if isinstance(pair, tuple | list) and len(pair) == 2]
    if len(pairs) < len(clients) or not any(issparse(x) for x, _ in pairs):
        return clients
    found = []
    for i, (x, _) in enumerate(pairs):
        should = "be a sparse matrix like the others"
        demand(issparse(x), f"clients[{i}].x", should, type(x).__name__, "give all or none as sparse matrices")
        found.append(_counted(x, f"clients[{i}].x"))
        columns = found[0].shape[1]
        demand(found[i].shape[1] == columns, f"clients[{i}].x", f"have {columns} columns like client 0", found[i].shape)
    sizes = [x.sum(axis=1).astype(np.int64) for x in found]
    width = max(1, max(int(size.max(initial=0)) for size in sizes))
    demand(width <= WIDEST, "x", f"hold at most {WIDEST:,} words a sample", width, "cut the longest, or drop them")
    rows = (_rows(x, size, width) for x, size in zip(found, sizes, strict=True))
    return [(x, y) for x, (_, y) in zip(rows, pairs, strict=True)]


def _counted(matrix: Any, field: str) -> csr_array:
    """A matrix of counts as CSR, its columns in order and none twice."""
    counts = csr_array(matrix)
    counts.sum_duplicates()
    whole = counts.data.size == 0 or bool(((counts.data >= 0) & (counts.data == np.rint(counts.data))).all())
    remedy = "give counts of words; shares of them (tf-idf) go as dense arrays"
    demand(whole, field, "hold whole counts >= 0", "others", remedy)
    return counts


def _rows(counts: csr_array, sizes: NDArray[np.int64], width: int) -> NDArray[np.int32]:
    """Rows of numbers, `(n, width)`."""
    numbers = np.repeat(counts.indices + 1, counts.data.astype(np.int64))
    rows = np.zeros((len(sizes), width), np.int32)
    rows[np.arange(width) < sizes[:, None]] = numbers
    return rows
