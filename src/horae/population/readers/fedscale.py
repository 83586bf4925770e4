"""Data sets as FedScale publishes them: a client_data_mapping, and what it points to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from horae.errors import one_line, require
from horae.population.base import Population
from horae.population.files import located
from horae.population.pool import Pool
from horae.population.readers.audio import BANDS, frames_of, log_mel
from horae.population.readers.cache import decoded, key_of
from horae.population.readers.common import Sharing, bags, check_bags, first_missing, insist, numbered, wrong
from horae.population.readers.images import varied
from horae.population.readers.mapping import CLASSES, Kind, Listed, Row, listed, mapping_files
from horae.population.readers.words import blocks, vocabulary
from horae.types import Floats

SIDES = {"femnist": 28, "openimage": 64}
CITATION = (
    "F. Lai et al.: FedScale: benchmarking model and system performance of federated learning at scale. ICML 2022"
)


@dataclass(frozen=True)
class FedScale(Sharing):
    """A data set with `client_data_mapping/train.csv` (test.csv, val.csv) in FedScale's layout; a client is a client.

    directory: below the data directory. kind: "femnist" (grey images), "openimage" (colour images, FedScale's 596
    labels), "speech" (35 words, log-mel features), "reviews" (Amazon's: hashed bags of words, 1 to 5 stars as labels
    0 to 4), "reddit" (the next word). side: of an image, 0 is 28 or 64. classes: keep that many of the commonest
    labels, 60 is Auxo's OpenImage-Easy; 0 is all. flip, jitter: training images are mirrored with chance 1/2, and
    brightness and contrast multiplied by 1 ± jitter: once, when they are decoded. features: hashed words, or the size
    of Reddit's vocabulary. width: words kept of a review, or in a row of Reddit.

    Source: FedScale's data loaders. Reading: FEMNIST stays grey; Reddit asks for the next word, and keeps the end of a
    text, where FedScale asks for masked ones in whole blocks of Albert's tokens.
    """

    directory: str = "femnist"
    kind: Kind = "femnist"
    side: int = 0
    classes: int = 0
    flip: bool = False
    jitter: float = 0.0
    features: int = 8192
    width: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.side == 0 or 4 <= self.side <= 1024, "population.side", "be 0 or in [4, 1024]", self.side)
        most = CLASSES[self.kind]
        should = f"be 0 or in [2, {most}] for {self.kind}" if most else f"be 0 for {self.kind}"
        require(self.classes == 0 or 2 <= self.classes <= most, "population.classes", should, self.classes)
        require(0 <= self.jitter < 1, "population.jitter", "be in [0, 1)", self.jitter)
        pictures = self.kind in SIDES
        for field in ("side", "flip", "jitter"):
            value = getattr(self, field)
            require(pictures or not value, f"population.{field}", f"be left out for {self.kind}", value)
        check_bags(self.features, self.width)

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        return first_missing([mapping_files(located(data_root, self.directory))["train"]], "FedScale's mapping")

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        insist(self.missing(data_root))
        directory = located(data_root, self.directory)
        found = listed(directory, self.kind, self.classes)
        about = f"FedScale {self.kind}, {len(set(found.owners.tolist()))} clients, {len(found.rows)} samples"
        pool = Pool(np.zeros(0), found.y, found.classes, found.owners, found.tested, about=about, citation=CITATION)
        if self.kind == "reddit":
            pool = _reddit(directory, found, self.features, self.width, pool)
        elif self.kind == "reviews":
            pool = replace(pool, x=bags((row.path for row in found.rows), self.features, self.width))
        else:
            scale = 1 / 255 if self.kind in SIDES else None
            pool = replace(pool, x=self._files(directory, found, data_root), scale=scale)
        return self.people(pool, self.kind, seed)

    def _files(self, directory: Path, found: Listed, data_root: Path | None) -> NDArray[np.uint8 | np.float32]:
        """Images or sounds, decoded once for this mapping and these options."""
        side = self.side or SIDES.get(self.kind, 0)
        options = {"kind": self.kind, "side": side, "classes": self.classes, "flip": self.flip, "jitter": self.jitter}
        texts = [file.read_bytes() for file in mapping_files(directory).values()]
        key = key_of(options, [str(directory).encode(), *texts])
        numbers = list(range(len(found.rows)))
        if self.kind == "speech":

            def sound(i: int) -> Floats:
                row = found.rows[i]
                return log_mel(_where(directory, row, split=True), 1.0, row.line)

            return decoded(data_root, key, (frames_of(1.0), BANDS), np.float32, numbers, sound)
        grey = self.kind == "femnist"

        def picture(i: int) -> NDArray[np.uint8]:
            row, fit = found.rows[i], found.tested is None or not found.tested[i]
            path = _where(directory, row, split=not grey)
            flip, jitter = self.flip and fit, self.jitter if fit else 0.0
            return varied(path, side, grey=grey, row=row.line, number=i, flip=flip, jitter=jitter)

        return decoded(data_root, key, (side, side) if grey else (3, side, side), np.uint8, numbers, picture)


def _where(directory: Path, row: Row, *, split: bool) -> Path:
    """The file of a row: <split>/<path> (train's own folder, where a test mapping was cut from it), else <path>."""
    if Path(row.path).is_absolute() or ".." in Path(row.path).parts:
        raise wrong(
            directory, f"names {one_line(row.path, 60)}, which lies outside of it", f"{row.line} of {row.split}"
        )
    places = [directory / part / row.path for part in ((row.split, "train", "") if split else ("",))]
    return next((place for place in places if _is_file(place)), places[0])


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long for one
        return False


def _words(path: str) -> bool:
    return len(path.split()) > 1


def _reddit(directory: Path, found: Listed, features: int, width: int, pool: Pool) -> Pool:
    """Rows of words. The mapping's second column names a file of text, or, where it has a space in it, is the text.

    Where it is FedScale's own, which numbers Albert's blocks, the files of <split>/ are the clients, in their order.
    """
    if all(row.path.isdigit() for row in found.rows):
        texts = [_text(file) for split in mapping_files(directory) for file in _texts(directory / split)]
        owners, tested = np.arange(len(texts)), None
    else:
        texts = [row.path if _words(row.path) else _text(_where(directory, row, split=True)) for row in found.rows]
        owners, tested = found.owners, found.tested
    fit = texts if tested is None else [text for text, kept in zip(texts, tested, strict=True) if not kept]
    x, y, whose = blocks(texts, vocabulary(fit, features), width)
    if not len(x):
        raise wrong(directory, "holds no text of two words; fetch it again")
    again = None if tested is None else tested[whose]
    who = numbered(owners[whose].tolist())
    return replace(pool, x=x, y=y, classes=features, owners=who, tested=again, task="next-token")


def _texts(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.is_file() and "_cached_lm_" not in file.name)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "ignore")
    except OSError as error:
        raise wrong(file, f"cannot be read ({error.strerror}); put it there") from None
