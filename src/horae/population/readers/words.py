"""Texts as rows of words, for the next word to be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from horae.population.readers.common import WORD
from horae.types import UNKNOWN, Ints

OTHER = 1  # a word that is not in the vocabulary


def vocabulary(texts: Iterable[str], size: int) -> dict[str, int]:
    """The commonest words, numbered from 2 on by how often they come, then by alphabet; 0 is padding, 1 any other word.

    >>> vocabulary(["b a b", "c"], 4)
    {'b': 2, 'a': 3}
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(WORD.findall(text.lower()))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[: size - 2]
    return {word: i + 2 for i, word in enumerate(ranked)}


def blocks(
    texts: Sequence[str], numbers: dict[str, int], length: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], Ints]:
    """x and y `(rows, length)`, and the text of each row: a text is cut into rows, y is the word after each of x.

    Where a text ends, x is 0 and y is UNKNOWN. A text of one word gives no row.
    """
    xs, ys, whose = [], [], []
    for i, text in enumerate(texts):
        words = [numbers.get(word, OTHER) for word in WORD.findall(text.lower())]
        for start in range(0, len(words) - 1, length):
            part = words[start : start + length + 1]
            x, y = np.zeros(length, np.int32), np.full(length, UNKNOWN, np.int32)
            x[: len(part) - 1], y[: len(part) - 1] = part[:-1], part[1:]
            xs.append(x)
            ys.append(y)
            whose.append(i)
    empty = np.zeros((0, length), np.int32)
    return np.stack([*xs]) if xs else empty, np.stack([*ys]) if ys else empty, np.array(whose, np.int64)
