"""A trace from a file: whichever format it has is seen from what is in it, not from its name."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from horae.errors import DataError, brief, one_line
from horae.population.traces import fedscale, flash, tables
from horae.population.traces.phones import Phones
from horae.population.traces.plain_pickle import plain_pickle
from horae.population.traces.sessions import Sessions
from horae.population.traces.wrong import Wrong

LONGEST = 2**30  # bytes of a trace
_PICKLES = (b"\x80", b"(dp", b"(lp", b"}q", b"]q")  # how protocols 0 to 5 begin
_PUT = "put it there, or name its directory with --data-root or HORAE_DATA"
_KNOWN = "a trace: FedScale's pickles, FLASH's JSON, or " + tables.NEEDED


def read_trace(file: Path) -> tuple[Sessions | Phones, str]:
    """The trace in a file, and the name of its format. Errors: DataError, in one line that names the file."""
    try:
        return _read(file, _bytes(file))
    except Wrong as error:
        raise DataError(f"{one_line(file, 120)}: {one_line(error, 240)}") from None


def located(file: str, data_root: Path | None) -> Path:
    """Where a trace lies: a relative name is looked for below the data directory ($HORAE_DATA or ~/.cache/horae)."""
    try:
        root = data_root or os.environ.get("HORAE_DATA") or Path.home() / ".cache" / "horae"
        return Path(root).expanduser() / Path(file).expanduser()
    except RuntimeError as error:  # ~somebody, and there is no such person
        raise DataError(f"{error}; name the directory of the data with --data-root or HORAE_DATA") from None


def _bytes(file: Path) -> bytes:
    name = one_line(file, 120)
    try:
        with file.open("rb") as opened:
            data = opened.read(LONGEST + 1)
    except FileNotFoundError:
        raise DataError(
            f"{name} is missing; put it there, or name its directory with --data-root or HORAE_DATA"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {name}: {one_line(error, 80)}; it should be {_KNOWN}") from None
    if len(data) > LONGEST:
        raise DataError(f"{name} should be a trace of at most 1 GiB; is it one?")
    return data


def _read(file: Path, data: bytes) -> tuple[Sessions | Phones, str]:
    if data.startswith(b"PAR1"):
        return tables.parquet_trace(file), "horae Parquet"
    if data.startswith(_PICKLES):
        return fedscale.pickled(plain_pickle(data), len(data)), "FedScale pickle"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Wrong(f"it should be {_KNOWN}; it is neither pickle, Parquet nor text") from None
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(file, _parsed(text))
    found = tables.csv_trace(text)
    return found, "AI-Benchmark CSV" if "AI Score" in text.partition("\n")[0] else "horae CSV"


def _from_json(file: Path, found: Any) -> tuple[Sessions | Phones, str]:
    if isinstance(found, Mapping):
        if "two_state" in found:
            return flash.events(found), "FLASH state events"
        if "unavailable" in found:
            return fedscale.unavailable(found), "FedScale hours of absence"
        if "client" in found and all(isinstance(column, list) for column in found.values()):
            return tables.trace_of(found), "horae JSON"
    rows = found if isinstance(found, list) and found and all(isinstance(row, Mapping) for row in found) else []
    keys = set.intersection(*map(set, rows)) if rows else set()
    if "AI_Score" in keys:
        return flash.listed(rows), "AI-Benchmark list"
    if "model" in keys:
        return flash.phones(rows, _beside(file)), "FLASH phones"
    if "client" in keys:
        return tables.trace_of({key: [row[key] for row in rows] for key in keys}), "horae JSON"
    raise Wrong(f"it should be {_KNOWN}; got {brief(found, 60)}")


def _beside(file: Path) -> dict[str, Any]:
    """What FLASH's phones need to be known: their models' scores, and users' lines."""
    found = {name: _parsed(_bytes(path).decode("utf-8", "replace")) for name, path in flash.siblings(file).items()}
    for name, value in found.items():
        plain = all(isinstance(row, Mapping) for row in value) if name == flash.LISTED else isinstance(value, Mapping)
        if not plain:
            raise Wrong(f"{name} beside it should be as FLASH has it, got {brief(value, 60)}")
    return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"it is broken JSON ({one_line(error, 80)}); fetch it again") from None
