"""LEAF's JSON files: users and what they hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from horae.errors import brief, one_line
from horae.population.base import Population
from horae.population.files import located
from horae.population.pool import Pool
from horae.population.readers.common import Sharing, bags, check_bags, insist, wrong
from horae.types import UNKNOWN

Kind = Literal["femnist", "shakespeare", "sent140", "synthetic"]
CLASSES: dict[Kind, int] = {"femnist": 62, "shakespeare": 80, "sent140": 2, "synthetic": 10}
LETTERS = (
    "\n !\"&'(),-.0123456789:;>?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz}"  # LEAF's 80, in its order
)
LENGTH, PIXELS, NUMBERS, TEXT = 80, 28, 60, 4  # of Shakespeare, FEMNIST, Synthetic; and where a tweet has its text
CITATION = "S. Caldas et al.: LEAF: a benchmark for federated settings. arXiv:1812.01097, 2018"
_LETTER = {letter: i for i, letter in enumerate(LETTERS)}
_SPACE = _LETTER[" "]


@dataclass(frozen=True)
class Leaf(Sharing):
    """A data set in LEAF's JSON: FEMNIST, Shakespeare, Sent140 or Synthetic; a client is a user.

    directory: holds `train/` and `test/`, or `all_data/`, of *.json (below `data/`, as in LEAF's own tree, will do).
    kind: FEMNIST is float32 `(28, 28)` as it is stored; Shakespeare 80 characters, and the next one is asked; Sent140
    hashed bags of `width` words in [1, features); Synthetic 60 numbers. Users of `test/` that also train are tested on
    it.

    Source: LEAF. Reading: of Shakespeare, a character outside the table of 80 is read as a space.
    """

    directory: str = "leaf/femnist"
    kind: Kind = "femnist"
    features: int = 8192
    width: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bags(self.features, self.width)

    def missing(self, data_root: Path | None) -> str | None:
        """Why it cannot be built from this data directory, in one line, or None if it can."""
        directory = located(data_root, self.directory)
        if any(_files(directory)):
            return None
        why = f"{one_line(directory, 160)} holds no *.json in train/ or all_data/; put LEAF's {self.kind} there"
        return f"{why}, or name its directory with --data-root or HORAE_DATA"

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        insist(self.missing(data_root))
        train, test = _files(located(data_root, self.directory))
        held = [user for file in train for user in _users(file)]
        asked = [user for file in test for user in _users(file)]
        names = {name: i for i, name in enumerate(dict.fromkeys(user.name for user in held + asked))}
        xs, ys = zip(*(self._samples(user) for user in held + asked), strict=True)
        x, y = np.concatenate(xs), np.concatenate(ys)
        sizes = [len(part) for part in ys]
        owners = np.repeat([names[user.name] for user in held + asked], sizes)
        tested = np.repeat(np.arange(len(sizes)) >= len(held), sizes) if asked else None
        about = f"LEAF {self.kind}: {len(names)} users, {len(y)} samples"
        task: Literal["classification", "next-token"] = "next-token" if self.kind == "shakespeare" else "classification"
        pool = Pool(x, y, CLASSES[self.kind], owners, tested, task=task, about=about, citation=CITATION)
        return self.people(pool, f"leaf-{self.kind}", seed)

    def _samples(self, user: User) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """x and y of one user."""
        if self.kind == "shakespeare":
            return _characters(user)
        read: Callable[[User], NDArray[Any]] = self._bags if self.kind == "sent140" else _numbers(self.kind)
        return read(user), _labels(user, CLASSES[self.kind], sent140=self.kind == "sent140")

    def _bags(self, user: User) -> NDArray[np.int32]:
        texts = [item[TEXT] if isinstance(item, list) and len(item) > TEXT else item for item in user.x]
        for text in texts:
            if not isinstance(text, str):
                raise wrong(user.file, f"x should hold tweets, got {brief(text, 40)}", f"of user {user.name}")
        return bags(texts, self.features, self.width)


@dataclass(frozen=True)
class User:
    """What one user holds in one file."""

    file: Path
    name: str
    x: list[Any]
    y: list[Any]


def _files(directory: Path) -> tuple[list[Path], list[Path]]:
    """The files to train on, and those to test on."""
    for base in (directory, directory / "data"):
        for train, test in (("train", "test"), ("all_data", "")):
            found = sorted((base / train).glob("*.json"))
            if found:
                return found, sorted((base / test).glob("*.json")) if test else []
    return [], []


def _users(file: Path) -> list[User]:
    """Everybody in one file. Errors: DataError."""
    try:
        held = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise wrong(file, f"is broken or truncated JSON ({one_line(error, 80)}); fetch it again") from None
    if not isinstance(held, dict) or not {"users", "user_data"} <= held.keys():
        raise wrong(file, "should hold users, num_samples and user_data, as LEAF writes them")
    names, data = held["users"], held["user_data"]
    sizes = held.get("num_samples", [None] * len(names))
    if not isinstance(data, dict) or not isinstance(names, list) or len(sizes) != len(names) or not names:
        raise wrong(file, "should hold as many num_samples as users, one at least, and user_data by user")
    users = []
    for name, size in zip(names, sizes, strict=True):
        own = data.get(name) if isinstance(name, str) else None
        whole = isinstance(own, dict) and all(isinstance(own.get(key), list) for key in ("x", "y"))
        if own is None or not whole or len(own["x"]) != len(own["y"]) or size not in (None, len(own["y"])):
            raise wrong(file, f"should hold lists x and y of {brief(size, 20)} samples each", f"of user {name}")
        if not own["y"]:
            raise wrong(file, "holds no sample; drop this user", f"of user {name}")
        users.append(User(file, name, own["x"], own["y"]))
    return users


def _numbers(kind: Kind) -> Callable[[User], NDArray[np.float32]]:
    wanted = PIXELS**2 if kind == "femnist" else NUMBERS
    shape = (PIXELS, PIXELS) if kind == "femnist" else (NUMBERS,)

    def read(user: User) -> NDArray[np.float32]:
        try:
            x = np.array(user.x, np.float32)
        except (TypeError, ValueError):
            x = np.zeros(0, np.float32)
        if x.shape != (len(user.y), wanted) or not np.isfinite(x).all():
            raise wrong(user.file, f"x should hold {wanted} finite numbers in each row", f"of user {user.name}")
        return x.reshape(-1, *shape)

    return read


def _labels(user: User, classes: int, *, sent140: bool) -> NDArray[np.int64]:
    """Whole numbers in [0, classes); a tweet's 4 is 1."""
    labels = []
    for label in user.y:
        known = isinstance(label, int | float | str) and str(label).removesuffix(".0").isdigit()
        value = int(float(label)) if known else UNKNOWN
        value = 1 if sent140 and value == 4 else value
        if not 0 <= value < classes:
            raise wrong(
                user.file, f"label should lie in [0, {classes}), got {brief(label, 40)}", f"of user {user.name}"
            )
        labels.append(value)
    return np.array(labels, np.int64)


def _characters(user: User) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Numbers of characters `(samples, 80)` and of the one after them."""
    for item, after in zip(user.x, user.y, strict=True):
        good = isinstance(item, str) and len(item) == LENGTH and isinstance(after, str) and len(after) == 1
        if not good:
            should = f"hold {LENGTH} characters in x and one in y"
            raise wrong(
                user.file, f"should {should}, got {brief(item, 30)}, {brief(after, 10)}", f"of user {user.name}"
            )
    x = [[_LETTER.get(letter, _SPACE) for letter in item] for item in user.x]
    return np.array(x, np.int32), np.array([_LETTER.get(after, _SPACE) for after in user.y], np.int64)
