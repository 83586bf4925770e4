"""FedScale's client_data_mapping: who holds which file, with which label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from horae.errors import brief, did_you_mean, one_line
from horae.population.readers.common import common_labels, numbered, rows_of, whole, wrong
from horae.types import Bools, Ints

Kind = Literal["femnist", "openimage", "speech", "reviews", "reddit"]
CLASSES: dict[Kind, int] = {"femnist": 62, "openimage": 596, "speech": 35, "reviews": 5, "reddit": 0}
# fmt: off
WORDS = (
    "up", "two", "sheila", "zero", "yes", "five", "one", "happy", "marvin", "no", "go", "seven", "eight", "tree",
    "stop", "down", "forward", "learn", "house", "three", "six", "backward", "dog", "cat", "wow", "left", "off", "on",
    "four", "visual", "nine", "bird", "right", "follow", "bed",
)  # label i of "speech" is WORDS[i]
# fmt: on
_WORD_LABELS = {word: i for i, word in enumerate(WORDS)}
_RATINGS = {f"{stars}{end}": stars - 1 for stars in range(1, 6) for end in ("", ".0")}
_FIRST, _PATH, _RATING = 0, 1, 2  # columns where no header says otherwise


class Row(NamedTuple):
    """One sample of a mapping. path: the second column, whatever it means. line: where in which split's file."""

    client: str
    path: str
    label: int
    split: str
    line: int


@dataclass(frozen=True)
class Listed:
    """All samples of a mapping with their owners, numbered from 0 in order of first appearance; y and tested `(rows,)`.

    tested is None where nobody is set aside.
    """

    rows: Sequence[Row]
    owners: Ints
    y: Ints
    tested: Bools | None
    classes: int


def mapping_files(directory: Path) -> dict[str, Path]:
    """The mapping of each split, where it is there; train.csv is named whether it is there or not."""
    names = {split: directory / "client_data_mapping" / f"{split}.csv" for split in ("train", "test", "val")}
    return {split: file for split, file in names.items() if split == "train" or file.is_file()}


def listed(directory: Path, kind: Kind, classes: int) -> Listed:
    """What the mappings say. classes: keep that many of the commonest labels; 0: all. Errors: DataError.

    Source: FedScale's data loaders. Reading: where somebody who trains has test samples too, test.csv is for testing
    and val.csv is left out. Else, as FedScale publishes FEMNIST, test.csv and val.csv are more people: all are taken.
    """
    rows = {split: _read(file, kind, split) for split, file in mapping_files(directory).items()}
    train = rows["train"]
    if not train:
        raise wrong(mapping_files(directory)["train"], "should list samples, got a header alone")
    known = {row.client for row in train}
    shared = any(row.client in known for row in rows.get("test", ()))
    every = train + rows.get("test", []) + ([] if shared else rows.get("val", []))
    y = np.array([row.label for row in every], np.int64)
    tested = np.array([shared and row.split == "test" for row in every])
    number = CLASSES[kind]
    if 0 < classes < number:
        there, y = common_labels(y, ~tested, classes)
        every = [row for row, kept in zip(every, there, strict=True) if kept]
        tested, number = tested[there], classes
    owners = numbered([row.client for row in every])
    return Listed(every, owners, y, tested if tested.any() else None, number)


def _read(file: Path, kind: Kind, split: str) -> list[Row]:
    rows: list[Row] = []
    header: list[str] = []
    at, label_at = _PATH, -1
    for line, row in rows_of(file):
        if not header:
            header = row
            if len(header) < 3:
                raise wrong(
                    file, f"should have client, path and label columns, got {one_line(','.join(row), 60)}", line
                )
            at, label_at = _columns(header, kind)
            continue
        if len(row) != len(header):
            raise wrong(file, f"should have {len(header)} columns like its header, got {len(row)}", line)
        if not row[_FIRST] or row[_FIRST].isspace():
            raise wrong(file, "should name a client in its first column, got nothing", line)
        if kind != "reviews" and not row[at].strip():
            raise wrong(file, "should name a file in its second column, got nothing", line)
        rows.append(Row(row[_FIRST], row[at], _label(file, kind, row[label_at], line), split, line))
    if not header:
        raise wrong(file, "is empty; fetch it again")
    return rows


def _columns(header: list[str], kind: Kind) -> tuple[int, int]:
    """Where the path (of a review: its text) and the label stand. FedScale goes by names for reviews alone."""
    if kind != "reviews":
        return _PATH, -2 if kind == "speech" else -1
    text = header.index("data_path") if "data_path" in header else _PATH
    return text, header.index("label_name") if "label_name" in header else _RATING


def _label(file: Path, kind: Kind, text: str, line: int) -> int:
    if kind == "reddit":
        return 0  # there is none: the text is its own label
    if kind == "speech":
        word = text.strip()
        if word not in _WORD_LABELS:
            raise wrong(file, f"label {brief(word, 30)} is none of the 35 words; {did_you_mean(word, WORDS)}", line)
        return _WORD_LABELS[word]
    if kind == "reviews":
        if text.strip() not in _RATINGS:
            raise wrong(file, f"rating should be 1 to 5, got {brief(text, 30)}", line)
        return _RATINGS[text.strip()]
    return whole(text, file, line, CLASSES[kind])
