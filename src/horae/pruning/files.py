"""A guidance in a directory: what `horae explore` leaves, and `--guidance` takes."""

from __future__ import annotations

import hashlib
import io
import json
import math
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from horae.errors import ConfigError, one_line
from horae.files import write_whole
from horae.pruning.guidance import Guidance
from horae.types import Anatomy, Charge, Floats

ARRAYS, FACTS = "guidance.npz", "guidance.json"
_BROKEN = (
    OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile, NotImplementedError, MemoryError,
    RecursionError, OverflowError,
)  # fmt: skip


def write_guidance(
    directory: Path,
    guidance: Guidance,
    at: Floats,
    anatomy: Anatomy,
    charges: tuple[Charge, ...],
    facts: dict[str, Any],
) -> None:
    """Means as arrays, everything else as JSON. facts: more for the reader. Errors: RunError."""
    directory.mkdir(parents=True, exist_ok=True)
    arrays = io.BytesIO()
    held = {"square": guidance.square, "signed": guidance.signed, "at": at}
    kept: dict[str, Any] = {name: array for name, array in held.items() if array is not None}
    np.savez(arrays, **kept)
    told = {
        **facts,
        "explorers": guidance.n,
        "tensors": [[t.name, list(t.shape)] for t in anatomy.tensors],
        "charges": [vars(charge) for charge in charges],
        "sha256": hashlib.sha256(arrays.getvalue()).hexdigest(),
    }
    write_whole(directory / ARRAYS, arrays.getvalue())
    write_whole(directory / FACTS, json.dumps(told, indent=2, allow_nan=False) + "\n")


def read_guidance(directory: str, anatomy: Anatomy) -> tuple[Guidance, Floats, tuple[Charge, ...]]:
    """Guidance, the weights that were explored, and what it cost.

    Errors: ConfigError if there is none, if it cannot be read, or if it is of another model.
    """
    try:
        facts = json.loads((Path(directory) / FACTS).read_text(encoding="utf-8"))
        tensors = [(str(name), tuple(shape)) for name, shape in facts["tensors"]]
        charges, n = tuple(_charge(table) for table in facts["charges"]), facts["explorers"]
    except FileNotFoundError:
        remedy = "make one with: horae explore FILE.toml"
        raise ConfigError(f"pruning.guidance: there is no {FACTS} in {directory}; {remedy}") from None
    except _BROKEN as error:
        raise _unreadable(directory, _said(error)) from None
    if tensors != [(t.name, t.shape) for t in anatomy.tensors]:
        raise ConfigError(f"pruning.guidance: {directory} is of another model; explore this one, or take that one")
    try:
        data = (Path(directory) / ARRAYS).read_bytes()
        if facts.get("sha256") not in (None, hashlib.sha256(data).hexdigest()):
            raise ValueError(f"{ARRAYS} is not the one that {FACTS} was written with")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            square, at = (np.asarray(arrays[name], np.float32) for name in ("square", "at"))
            signed = np.asarray(arrays["signed"], np.float32) if "signed" in arrays else None
    except _BROKEN as error:
        raise _unreadable(directory, _said(error)) from None
    held = [array for array in (square, at, signed) if array is not None]
    fits = all(array.shape == (anatomy.n_params,) and np.isfinite(array).all() for array in held)
    if not (fits and (square >= 0).all() and type(n) is int and n > 0):
        raise _unreadable(directory, "its arrays do not fit what it says of itself")
    return Guidance(square, signed, n), at, charges


def check_guidance(directory: str, anatomy: Anatomy, mode: str) -> None:
    """Refuse what `read_guidance` refuses, and a mode that it does not tell enough for. Errors: ConfigError."""
    guidance, at, _ = read_guidance(directory, anatomy)
    guidance.scores(at, anatomy, mode, "minmax")


def _charge(table: dict[str, Any]) -> Charge:
    """One row of a ledger. Errors: ValueError, TypeError."""
    charge = Charge(**table)
    numbers = [value for name, value in vars(charge).items() if name != "purpose"]
    whole = all(type(value) is int for name, value in vars(charge).items() if name not in ("purpose", "client_s"))
    if not (isinstance(charge.purpose, str) and whole and all(0 <= n < 1e30 and math.isfinite(n) for n in numbers)):
        raise ValueError("a charge should hold numbers from 0 on")
    return charge


def _said(error: BaseException) -> str:
    """What went wrong, of an error that may have no words."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {Path(str(error.filename)).name}"
    return f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__


def _unreadable(directory: str, why: str) -> ConfigError:
    return ConfigError(f"pruning.guidance: {directory} cannot be read ({one_line(why, 120)}); explore again")
