"""Glyphs: letters and digits as typefaces draw them, in the manner of FEMNIST."""

from __future__ import annotations

import functools
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from horae.errors import DataError, require
from horae.population.base import Population
from horae.population.partitioners import NaturalId
from horae.population.pool import Pool, Shift
from horae.population.sharing import share_out
from horae.population.shifting.common import magnitudes, warp
from horae.pure.streams import stream
from horae.types import Ints

SIZE = "made"
LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase  # FEMNIST's order
MOST_CLIENTS = 100_000
LICENCE = "drawn here; matplotlib's fonts: Bitstream Vera and DejaVu's free licence, Computer Modern and STIX: OFL"
CITATION = "after S. Caldas et al.: LEAF: a benchmark for federated settings (FEMNIST). arXiv:1812.01097, 2018"


@dataclass(frozen=True)
class Glyphs:
    """Hands that write 62 letters and digits, one client each, every hand in one typeface; which one is it?

    Typefaces are dealt out evenly; a hand has a size, a slant and a weight of ink of its own, and every sample is moved
    and sized a little. The typeface is the known group. fonts: "matplotlib", which ships with it, the same everywhere;
    "installed": whatever TrueType fonts this machine has, one typeface each. side: pixels.
    """

    clients: int = 100
    images_per_client: int = 124
    side: int = 28
    fonts: Literal["matplotlib", "installed"] = "matplotlib"
    test_fraction: float = 0.2
    shifts: tuple[Shift, ...] = ()

    def __post_init__(self) -> None:
        require(1 <= self.clients <= MOST_CLIENTS, "population.clients", f"be in [1, {MOST_CLIENTS:,}]", self.clients)
        each = self.images_per_client
        require(1 <= each <= 100_000, "population.images_per_client", "be in [1, 100000]", each)
        require(8 <= self.side <= 128, "population.side", "be in [8, 128]", self.side)
        require(0 <= self.test_fraction < 1, "population.test_fraction", "be in [0, 1)", self.test_fraction)

    def missing(self, data_root: Path | None) -> str | None:
        """None: matplotlib ships fonts, and what is installed adds to them."""

    def build(self, seed: int, data_root: Path | None = None) -> Population:
        """The clients. Errors: ConfigError, DataError."""
        faces = typefaces(self.fonts)
        n, each = self.clients, self.images_per_client
        face = stream(seed, "population glyphs").permutation(np.arange(n) % len(faces))
        x, y = np.empty((n * each, self.side, self.side), np.uint8), np.empty(n * each, np.int64)
        for client in range(n):
            own = slice(client * each, (client + 1) * each)
            x[own], y[own] = _written(faces[face[client]], client, each, self.side, seed)
        _, groups = np.unique(face, return_inverse=True)
        owners = np.repeat(np.arange(n), each)
        about = (
            f"{len(LETTERS)} letters and digits of {self.side}x{self.side}, drawn in {np.unique(face).size} typefaces"
        )
        told = (about, LICENCE, CITATION)
        pool = Pool(x, y, len(LETTERS), owners, None, groups.astype(np.int64), "classification", 1 / 255, *told)
        return share_out(pool, NaturalId(), self.shifts, name="glyphs", test_fraction=self.test_fraction, seed=seed)


@functools.lru_cache(maxsize=2)
def typefaces(fonts: str) -> tuple[str, ...]:
    """Files of the fonts that draw all the letters, each its own way, in order of name. Errors: DataError."""
    from matplotlib import font_manager, get_data_path

    files = sorted(map(str, (Path(get_data_path()) / "fonts" / "ttf").glob("*.ttf")))
    if fonts == "installed":
        files = sorted({*files, *font_manager.findSystemFonts(fontext="ttf")}, key=lambda file: (Path(file).name, file))
    seen: dict[bytes, str] = {}
    for file in files:
        looks = _looks(file)
        if looks is not None:
            seen.setdefault(looks, file)
    if not seen:
        raise DataError("population glyphs: no font here draws letters and digits; install matplotlib anew")
    return tuple(seen.values())


def _looks(file: str) -> bytes | None:
    """How a font draws the letters, or None if it lacks one."""
    try:
        font = ImageFont.truetype(file, 24)
        nothing = bytes(font.getmask("\uffff"))
        drawn = [bytes(font.getmask(letter)) for letter in LETTERS]
    except (OSError, ValueError):
        return None
    return None if nothing in drawn or not all(map(any, drawn)) or len(set(drawn)) < 50 else b"".join(drawn)


def _written(file: str, client: int, each: int, side: int, seed: int) -> tuple[NDArray[np.uint8], Ints]:
    """A client's images and labels, by a stream of its own: all letters in turn, so that none is rare."""
    rng = stream(seed, "population glyph", client)
    y = np.concatenate([rng.permutation(len(LETTERS)) for _ in range(-(-each // len(LETTERS)))])[:each]
    size, ink = side * rng.uniform(0.62, 0.82), rng.uniform(0.6, 1.0)
    turn, shear = np.deg2rad(8.0) * magnitudes(rng, 1)[0], 0.25 * rng.uniform(-1, 1)
    sizes = np.rint(size * rng.uniform(0.92, 1.08, each)).astype(int)
    moves = rng.uniform(-0.06, 0.06, (each, 2)) * side
    x = np.stack([_drawn(file, LETTERS[c], int(s), side, m) for c, s, m in zip(y, sizes, moves, strict=True)])
    slant = np.array([[1.0, -turn], [turn + shear, 1.0]])
    return np.rint(ink * warp(x, slant, np.zeros(2))).astype(np.uint8), y.astype(np.int64)


def _drawn(file: str, letter: str, size: int, side: int, moved: NDArray[Any]) -> NDArray[np.uint8]:
    """One letter in white on black, its box in the middle of the frame but for `moved`."""
    font = _font(file, size)
    left, top, right, bottom = font.getbbox(letter)
    image = Image.new("L", (side, side))
    at = ((side - right - left) / 2 + float(moved[1]), (side - bottom - top) / 2 + float(moved[0]))
    ImageDraw.Draw(image).text(at, letter, fill=255, font=font)
    return np.asarray(image)


@functools.lru_cache(maxsize=4096)
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(file, size)
