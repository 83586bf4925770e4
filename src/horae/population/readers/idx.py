"""IDX files, as MNIST and Fashion-MNIST are published."""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from horae.errors import DataError, one_line
from horae.population.base import Population
from horae.population.files import located
from horae.population.pool import Partition, Pool
from horae.population.readers.common import Sharing, by_chance, first_missing, insist, wrong

DEBIAN = Path("/usr/share/datasets")  # where Debian's packages dataset-* put theirs
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
LARGEST, CHUNK = 2**34, 2**20  # bytes: of a file, and unpacked at once
_PARTS = (("train-images", "train-labels"), ("t10k-images", "t10k-labels"))


@dataclass(frozen=True)
class Idx(Sharing):
    """Images in IDX files, gzipped or not: MNIST, Fashion-MNIST, EMNIST's splits under those names.

    directory: holds train-images-idx3-ubyte, train-labels-idx1-ubyte and the same of t10k, `.gz` or not; below the data
    directory or /usr/share/datasets (Debian's dataset-fashion-mnist). Nobody owns an image: `partition` makes clients.
    """

    directory: str = "mnist"
    clients: int = 100
    partition: Partition = field(default_factory=by_chance)

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        return missing_idx(self._place(data_root))

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        return self.people(idx_pool(self._place(data_root)), self.directory.strip("/").rpartition("/")[2], seed)

    def _place(self, data_root: Path | None) -> Path:
        place = located(data_root, self.directory)
        packaged = DEBIAN / self.directory
        return packaged if missing_idx(place) and not missing_idx(packaged) else place


def missing_idx(directory: Path) -> str | None:
    """Why `idx_pool` would fail there, in one line, or None."""
    wanted = [directory / f"{name}-idx{1 + 2 * (i == 0)}-ubyte" for part in _PARTS for i, name in enumerate(part)]
    return first_missing(
        (path for path in wanted if _found(path) is None), "the four IDX files (.gz or not) of a data set like MNIST"
    )


def idx_pool(directory: Path) -> Pool:
    """MNIST's layout: bytes `(70000, 28, 28)` with labels, t10k set aside for testing. Errors: DataError."""
    insist(missing_idx(directory))
    sizes = [_header(_path(directory, f"{images}-idx3-ubyte"))[1] for images, _ in _PARTS]
    if sizes[0][1:] != sizes[1][1:] or len(sizes[0]) != 3:
        raise wrong(
            directory, f"train and t10k images should be alike, got {sizes[0]} and {sizes[1]}; fetch them again"
        )
    x = np.empty((sizes[0][0] + sizes[1][0], *sizes[0][1:]), np.uint8)
    labels = []
    for (images, names), into in zip(_PARTS, (x[: sizes[0][0]], x[sizes[0][0] :]), strict=True):
        read_idx(_path(directory, f"{images}-idx3-ubyte"), into)
        path = _path(directory, f"{names}-idx1-ubyte")
        y = read_idx(path)
        if y.shape != (len(into),) or y.dtype.kind != "u":
            raise wrong(path, f"should hold one label for each of {len(into)} images, got {y.dtype} {y.shape}")
        labels.append(y.astype(np.int64))
    y = np.concatenate(labels)
    tested = np.arange(len(y)) >= sizes[0][0]
    about = f"IDX images of {one_line(directory, 120)}: {sizes[0][0]} to train on and {sizes[1][0]} to test on"
    return Pool(x, y, int(y.max()) + 1, tested=tested, scale=1 / 255, about=about)


def read_idx(path: Path, into: NDArray[np.uint8] | None = None) -> NDArray[Any]:
    """The array of one IDX file, gzipped or not; bytes may be read into an array that is there. Errors: DataError."""
    dtype, shape = _header(path)
    array = np.empty(shape, dtype) if into is None or dtype != "u1" else into
    if array.shape != shape:
        raise wrong(path, f"should hold {array.shape}, got {shape}; fetch it again")
    try:
        with _opened(path) as file:
            file.read(4 + 4 * len(shape))
            view, filled = memoryview(array.reshape(-1).view(np.uint8).data), 0
            while filled < len(view) and (n := file.readinto(view[filled : filled + CHUNK])):  # type: ignore[attr-defined]
                filled += n
            more = file.read(1)
    except (OSError, EOFError, zlib.error) as error:
        raise wrong(path, f"is broken or truncated ({one_line(error, 80)}); fetch it again") from None
    if filled < len(view) or more:
        got = "more" if more else f"{filled}"
        raise wrong(path, f"should hold {len(view)} bytes after its header, got {got}; fetch it again")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _header(path: Path) -> tuple[str, tuple[int, ...]]:
    """What type of numbers, and how many along each axis."""
    try:
        with _opened(path) as file:
            head = file.read(4)
            axes = head[3] if len(head) == 4 else 0
            rest = file.read(4 * axes)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise wrong(path, f"is broken or truncated ({one_line(error, 80)}); fetch it again") from None
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or not 1 <= axes <= 8 or len(rest) < 4 * axes:
        raise wrong(path, "should begin as an IDX file does, with two zeros, a type and the lengths; fetch it again")
    shape = tuple(int(n) for n in np.frombuffer(rest, ">u4"))
    if math.prod(shape) == 0 or math.prod(shape) * np.dtype(TYPES[head[2]]).itemsize > LARGEST:
        raise wrong(path, f"says that it holds {shape} numbers, which cannot be; fetch it again")
    return TYPES[head[2]], shape


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def _found(path: Path) -> Path | None:
    """The file under one of the names it goes by."""
    other = path.with_name(path.name.replace("-idx", ".idx"))  # as some archives unpack
    names = (path, path.with_name(path.name + ".gz"), other, other.with_name(other.name + ".gz"))
    try:
        return next((name for name in names if name.is_file()), None)
    except OSError:
        return None


def _path(directory: Path, name: str) -> Path:
    found = _found(directory / name)
    if found is None:
        raise DataError(f"{one_line(directory / name)} is missing")
    return found
