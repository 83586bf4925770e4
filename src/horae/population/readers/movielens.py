"""MovieLens: users and the stars they gave."""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from horae.errors import one_line, require
from horae.population.base import Population
from horae.population.files import located
from horae.population.pool import Pool
from horae.population.readers.common import Sharing, first_missing, insist, rows_of, wrong
from horae.types import Doubles, Ints

LICENCE = "GroupLens: research use with acknowledgement, not commercial; read the README beside the data"
CITATION = (
    "F. M. Harper and J. A. Konstan: The MovieLens datasets: history and context. ACM TiiS 5(4), 2015. "
    "doi:10.1145/2827872"
)
GENRES = (
    *("Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "IMAX", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
    "(no genres listed)",
)  # feature 1 and on
OLD = (
    *("(no genres listed)", "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary"),
    *("Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller"),
    *("War", "Western"),
)  # the flags of ml-100k's u.item, in order
FEWEST_STARS, MOST_STARS = 0.5, 5.0


@dataclass(frozen=True)
class MovieLens(Sharing):
    """Users of MovieLens, one client each; how many stars does this film get? (regression)

    directory: with ratings.csv (movies.csv if genres are wanted), or ml-100k's u.data (and u.item). A sample is an
    int32 row of feature numbers: the film, hashed by crc32 into [21, features), its genres in [1, 20], and 0 as
    padding. There is no number for the user: the client is the user.
    """

    directory: str = "ml-latest-small"
    features: int = 8192

    def __post_init__(self) -> None:
        super().__post_init__()
        require(64 <= self.features <= 2**24, "population.features", "be in [64, 16777216]", self.features)

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        directory = located(data_root, self.directory)
        if first_missing([directory / "u.data"], "") is None:
            return None
        return first_missing([directory / "ratings.csv"], "MovieLens's ratings (grouplens.org/datasets)")

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        insist(self.missing(data_root))
        return self.people(movielens_pool(located(data_root, self.directory), self.features), "movielens", seed)


def movielens_pool(directory: Path, features: int = 8192) -> Pool:
    """Every rating; owners are users. Errors: DataError."""
    old = (directory / "u.data").is_file() and not (directory / "ratings.csv").is_file()
    users, films, stars = _ratings(directory / ("u.data" if old else "ratings.csv"), old=old)
    known, film = np.unique(films, return_inverse=True)
    genres = _old_genres(directory / "u.item") if old else _genres(directory / "movies.csv")
    table = np.stack([_row(int(name), genres.get(int(name), ()), features) for name in known])
    table = table[:, : max(1, int((table != 0).sum(axis=1).max()))]
    _, owners = np.unique(users, return_inverse=True)
    about = f"MovieLens: {len(stars)} ratings of {len(known)} films by {int(owners.max()) + 1} users"
    y = stars.astype(np.float32)
    return Pool(
        table[film], y, 1, owners.astype(np.int64), task="regression", about=about, licence=LICENCE, citation=CITATION
    )


def _ratings(path: Path, *, old: bool) -> tuple[Ints, Ints, Doubles]:
    options = {"delimiter": "\t" if old else ",", "skiprows": 0 if old else 1, "usecols": (0, 1, 2), "ndmin": 2}
    try:
        if not old:
            with path.open(encoding="utf-8") as file:
                header = file.readline().strip().split(",")[:3]
            if header != ["userId", "movieId", "rating"]:
                raise wrong(path, f"should begin with userId,movieId,rating, got {one_line(','.join(header), 60)}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no rating at all: said below
            numbers: Doubles = np.loadtxt(path, np.float64, encoding="utf-8", comments=None, **options)  # type: ignore[call-overload]
    except (OSError, ValueError, UnicodeDecodeError, IndexError) as error:
        raise wrong(path, f"is broken ({one_line(error, 120)}); fetch it again") from None
    if not len(numbers):
        raise wrong(path, "holds no rating; fetch it again")
    good = (numbers[:, :2] >= 0).all(axis=1) & (numbers[:, :2] < 2**53).all(axis=1)
    good &= (numbers[:, 2] >= FEWEST_STARS) & (numbers[:, 2] <= MOST_STARS)
    if not good.all():
        first = int(np.argmin(good))
        got = ", ".join(f"{value:g}" for value in numbers[first])
        should = f"hold user, film and {FEWEST_STARS:g} to {MOST_STARS:g} stars"
        raise wrong(path, f"should {should}, got {got}", first + (1 if old else 2))
    return numbers[:, 0].astype(np.int64), numbers[:, 1].astype(np.int64), numbers[:, 2]


def _row(film: int, genres: tuple[str, ...], features: int) -> NDArray[np.int32]:
    """Feature numbers of a film: itself and its genres."""
    first = len(GENRES) + 1
    row = np.zeros(1 + len(GENRES), np.int32)
    row[0] = first + zlib.crc32(str(film).encode()) % (features - first)
    told = sorted({GENRES.index(genre) + 1 for genre in genres if genre in GENRES})
    row[1 : 1 + len(told)] = told
    return row


def _genres(path: Path) -> dict[int, tuple[str, ...]]:
    if not path.is_file():
        return {}
    found = {}
    for line, row in rows_of(path):
        if line == 1:
            continue
        if len(row) != 3 or not row[0].isdigit():
            raise wrong(path, f"should hold movieId,title,genres, got {one_line(','.join(row), 60)}", line)
        found[int(row[0])] = tuple(row[2].split("|"))
    return found


def _old_genres(path: Path) -> dict[int, tuple[str, ...]]:
    if not path.is_file():
        return {}
    found = {}
    for line, text in enumerate(path.read_text("latin-1").splitlines(), 1):
        parts = text.split("|")
        if len(parts) < 5 + len(OLD) or not parts[0].isdigit():
            raise wrong(path, f"should hold an id and {len(OLD)} flags, got {one_line(text, 60)}", line)
        found[int(parts[0])] = tuple(
            genre for genre, flag in zip(OLD, parts[-len(OLD) :], strict=True) if flag.strip() == "1"
        )
    return found
