"""What Debian's maintainers write about their packages."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from horae.errors import one_line, require
from horae.population.base import Population
from horae.population.files import located
from horae.population.pool import Pool
from horae.population.readers.common import WORD, Sharing, bags, check_bags, first_missing, insist, numbered, wrong

SIZE = "1 MB"
FILE, HEADER = "debian_descriptions.tsv.gz", "client\tsection\tdescription"
LICENCE = "Debian's package descriptions: as the packages they describe; free under the DFSG"
CITATION = "Debian project: package descriptions (Packages, Translation-en). debian.org"


@dataclass(frozen=True)
class DebianDescriptions(Sharing):
    """Maintainers of Debian, one client each; in which section is a package with this one-line description?

    A text is a bag of hashed words, int32 `(width,)`: see `bags`. at_least: sections of fewer texts are left out.
    Needs `debian_descriptions.tsv.gz` (client, section, description) in the data directory.
    """

    features: int = 4096
    width: int = 16
    at_least: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bags(self.features, self.width)
        require(self.at_least >= 1, "population.at_least", "be >= 1", self.at_least)

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        return first_missing([located(data_root, FILE)], "the descriptions (client, section, description)")

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        insist(self.missing(data_root))
        pool = debian_pool(located(data_root, FILE), self.features, self.width, self.at_least)
        return self.people(pool, "debian-descriptions", seed)

    def reader(self, data_root: Path | None) -> Callable[[NDArray[Any]], str]:
        """What makes words of a sample: of those that share a number, the commonest."""
        insist(self.missing(data_root))
        words = Counter(word for text in _read(located(data_root, FILE))[2] for word in WORD.findall(text.lower()))
        names = {int(bags([word], self.features, 1)[0, 0]): word for word, _ in reversed(words.most_common())}
        return lambda sample: " ".join(names.get(number, "") for number in sample.tolist())


def debian_pool(path: Path, features: int, width: int, at_least: int) -> Pool:
    """The texts of the sections that are large enough; owners are maintainers. Errors: DataError."""
    clients, sections, texts = _read(path)
    names, section, sizes = np.unique(sections, return_inverse=True, return_counts=True)
    kept = sizes[section] >= at_least
    if not kept.any():
        raise wrong(path, f"no section has {at_least} texts; lower population.at_least")
    x = bags((text for text, there in zip(texts, kept, strict=True) if there), features, width)
    y = np.searchsorted(np.flatnonzero(sizes >= at_least), section[kept]).astype(np.int64)
    owners = numbered([client for client, there in zip(clients, kept, strict=True) if there])
    classes = int((sizes >= at_least).sum())
    about = f"Debian's descriptions: {len(x):,} texts in {classes} of {names.size} sections, hashed words"
    return Pool(x, y, classes, owners, about=about, licence=LICENCE, citation=CITATION)


def _read(path: Path) -> tuple[list[str], list[str], list[str]]:
    """Who wrote, where, what."""
    columns: tuple[list[str], list[str], list[str]] = ([], [], [])
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            header = file.readline().rstrip("\n")
            if header != HEADER:
                raise wrong(path, f"should begin with client, section, description, got {one_line(header, 60)}")
            for number, line in enumerate(file, 2):
                row = line.rstrip("\n").split("\t")
                if len(row) != 3:
                    raise wrong(path, f"should hold client, section, description, got {len(row)} columns", number)
                for column, text in zip(columns, (sys.intern(row[0]), sys.intern(row[1]), row[2]), strict=True):
                    column.append(text)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise wrong(path, f"is broken or truncated ({one_line(error, 80)}); fetch it again") from None
    return columns
