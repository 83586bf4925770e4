"""Checkpoints: everything a run needs to go on as if it had never stopped.

A file is one line of facts, then a packed value. It is written beside its name and moved there, so that it is whole
or not there; the last two are kept, so that there is a good one should a disk fail. Each cohort lies in a file of its
own, which is written when that cohort has changed and named by the others' sums: a checkpoint costs what one cohort's
round changed, however many cohorts there are.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from horae import __version__
from horae.errors import RunError, Stopped
from horae.federate import Standing
from horae.files import write_whole
from horae.pure.packing import PackingError, pack, unpack
from horae.settings import differences
from horae.types import Cohort, CohortTree, Engine, State

FORMAT = 5
KEEP = 2  # checkpoints
COHORTS = "*.cohort"
SHARE = 0.1  # of the time may go into checkpoints; where they are quick there is one after every round
SYNC_S = 5.0  # how often a checkpoint is forced to the disk, against a loss of power


class Saved(Protocol):
    """Something that a checkpoint holds beside the loop's own state: the engine, the event log, the evaluator."""

    def snapshot(self) -> State:
        """Its state as a value that can be packed."""

    def restore(self, state: State) -> None:
        """Back to that state."""


@dataclass(frozen=True)
class Stored:
    """A cohort that lies in a file of its own, beside the checkpoint that names it."""

    name: str


@dataclass(frozen=True)
class Found:
    """A checkpoint that was read: where the loop stood, each part's state, the wall seconds it had taken."""

    standing: Standing
    parts: Mapping[str, State]
    wall_s: float
    skipped: tuple[str, ...] = ()


class Checkpoints:
    """An observer that writes a checkpoint after rounds, and ends the run when it is asked to.

    directory: where they lie. identity: what must be the same when the run goes on (a plain table). parts: what is
    saved beside the loop's state. stop: asked after every round; True ends the run there, by Stopped.
    """

    def __init__(
        self,
        directory: Path,
        identity: Mapping[str, Any],
        parts: Mapping[str, Saved],
        stop: Callable[[], bool] = lambda: False,
        wall_s: float = 0.0,
    ) -> None:
        self._directory, self._identity, self._parts, self._stop = directory, identity, parts, stop
        self._began = time.perf_counter() - wall_s
        self._due = self._synced = 0.0
        self._number = max((int(file.stem) for file in _files(directory)), default=-1) + 1
        self._cohorts: dict[tuple[int, ...], tuple[Cohort, Stored]] = {}  # as they were last written
        self._named = [{file.name for file in directory.glob(COHORTS)}]  # by the checkpoints that are kept

    @property
    def wall_s(self) -> float:
        """Real seconds the run has taken, before and after it was resumed."""
        return time.perf_counter() - self._began

    def look(self, standing: Standing, engine: Engine, *, over: bool) -> None:
        """Write a checkpoint if one is due."""
        if over:
            return
        asked = self._stop()
        if asked or time.perf_counter() >= self._due:
            self._save(standing)
        if asked:
            raise Stopped("stopped after the round in flight")

    def close(self, standing: Standing) -> None:
        """The run is over: keep its last state, from which nothing goes on, and no other."""
        self._write("final.ckpt", (standing, self._states()), sync=True)

    def clear(self) -> None:
        """Forget the checkpoints on the way."""
        for file in (*_files(self._directory), *self._directory.glob(COHORTS)):
            file.unlink(missing_ok=True)

    def _save(self, standing: Standing) -> None:
        """A checkpoint on the way: the cohorts that changed, then what names them all, then what nobody names goes."""
        started = time.perf_counter()
        sync = started - self._synced >= SYNC_S
        stored = {path: self._stored(cohort, sync) for path, cohort in standing.tree.cohorts.items()}
        self._cohorts = {path: (standing.tree[path], file) for path, file in stored.items()}
        bare = replace(standing, tree=CohortTree(stored, standing.tree.children, standing.tree.common))  # type: ignore[arg-type]
        self._write(f"{self._number:09d}.ckpt", (bare, self._states()), sync=sync)
        self._number += 1
        self._named = [*self._named, {file.name for file in stored.values()}][-KEEP:]
        for old in _files(self._directory)[KEEP:]:
            old.unlink(missing_ok=True)
        for old in self._directory.glob(COHORTS):
            if not any(old.name in names for names in self._named):
                old.unlink(missing_ok=True)
        now = time.perf_counter()
        self._synced = now if sync else self._synced
        self._due = now + (now - started) * (1 / SHARE - 1)

    def _stored(self, cohort: Cohort, sync: bool) -> Stored:
        """The file of this cohort, written unless it is as it was."""
        before, file = self._cohorts.get(cohort.path, (None, None))
        if before is cohort and file is not None:
            return file
        body = _packed(cohort)
        name = f"{'.'.join(map(str, (0, *cohort.path)))}-{cohort.round}-{zlib.crc32(body):08x}{COHORTS[1:]}"
        self._put(name, body, {}, sync)
        return Stored(name)

    def _states(self) -> dict[str, State]:
        return {key: part.snapshot() for key, part in self._parts.items()}

    def _write(self, name: str, value: Any, sync: bool) -> None:
        self._put(name, _packed(value), {"wall_s": round(self.wall_s, 3), "identity": self._identity}, sync)

    def _put(self, name: str, body: bytes, more: Mapping[str, Any], sync: bool) -> None:
        facts = {"horae": __version__, "format": FORMAT, "crc": zlib.crc32(body), "nbytes": len(body), **more}
        self._directory.mkdir(exist_ok=True)
        write_whole(self._directory / name, json.dumps(facts).encode() + b"\n" + body, sync=sync)


def _packed(value: Any) -> bytes:
    try:
        return pack(value)
    except PackingError as error:
        raise RunError(f"this run cannot be saved: {error}; see docs/extending.md on states") from None


def read_last(
    directory: Path, identity: Mapping[str, Any], check: Callable[[Mapping[str, State]], None]
) -> Found | None:
    """The newest checkpoint that is whole; None where there has been none.

    check: raises RunError where the parts' states do not fit what else is there. Errors: RunError if the run is
    another one, was written by another version, or no checkpoint can be used.
    """
    broken: list[str] = []
    for file in _files(directory):
        try:
            facts, body = read_parts(file)
            standing, parts = _unpacked(file, body)
            standing = replace(standing, tree=_whole(standing.tree, directory))
            check(parts)
        except RunError as error:
            broken.append(str(error))
            continue
        _same(facts["identity"], identity, directory)
        return Found(standing, parts, facts["wall_s"], tuple(broken))
    if broken:
        raise RunError(f"{broken[0]}; remove {directory} to begin again from the first round")
    return None


def read_final(directory: Path, identity: Mapping[str, Any]) -> Standing:
    """How a finished run ended. Errors: RunError, also if it was another one."""
    file = directory / "final.ckpt"
    facts, body = read_parts(file)
    _same(facts["identity"], identity, directory)
    return _unpacked(file, body)[0]


def read_ended(directory: Path) -> tuple[Standing, Mapping[str, State]]:
    """How a finished run of whatever kind ended, and its parts' states. Errors: RunError."""
    file = directory / "final.ckpt"
    return _unpacked(file, read_parts(file)[1])


def read_parts(file: Path) -> tuple[dict[str, Any], bytes]:
    """A checkpoint's facts and its packed value, checked. Errors: RunError."""
    try:
        line, _, body = file.read_bytes().partition(b"\n")
        facts = json.loads(line)
        version, crc, nbytes = facts["format"], facts["crc"], facts["nbytes"]
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise RunError(f"{file} is not a checkpoint, or its beginning is damaged") from None
    if (version, facts.get("horae")) != (FORMAT, __version__):
        theirs = f"horae {facts.get('horae')} (format {version})"
        raise RunError(f"{file} was written by {theirs}, this is {__version__} (format {FORMAT}); resume it there")
    if len(body) != nbytes or zlib.crc32(body) != crc:
        raise RunError(f"{file} is damaged: {len(body)} of {nbytes} bytes, or other ones")
    return facts, body


def _whole(tree: CohortTree, directory: Path) -> CohortTree:
    """The tree with its cohorts read from their files. Errors: RunError."""
    cohorts = {}
    for path, stored in tree.cohorts.items():
        if not isinstance(stored, Stored) or Path(stored.name).name != stored.name:
            raise RunError(f"a checkpoint in {directory} names no file for cohort {path}")
        file = directory / stored.name
        _, body = read_parts(file)
        try:
            cohorts[path] = unpack(body)
        except (PackingError, TypeError, ValueError) as error:
            raise RunError(f"cannot read {file}: {error}") from None
        if not isinstance(cohorts[path], Cohort) or cohorts[path].path != path:
            raise RunError(f"{file} holds another cohort")
    return CohortTree(cohorts, tree.children, tree.common)


def _unpacked(file: Path, body: bytes) -> tuple[Standing, dict[str, State]]:
    try:
        standing, parts = unpack(body)
    except (PackingError, TypeError, ValueError) as error:
        raise RunError(f"cannot read {file}: {error}") from None
    if not isinstance(standing, Standing) or not isinstance(parts, dict):
        raise RunError(f"cannot read {file}: it holds something else than a run")
    return standing, parts


def _same(theirs: Mapping[str, Any], ours: Mapping[str, Any], directory: Path) -> None:
    """Refuse to go on with anything but the run that was begun."""
    for key, was, now in differences(theirs, json.loads(json.dumps(ours))):
        raise RunError(
            f"{key} was {was!r} when the run in {directory.parent} began and is {now!r} now; "
            "put it back, or start another run with --out"
        )


def _files(directory: Path) -> list[Path]:
    """Checkpoints on the way, newest first."""
    return sorted((f for f in directory.glob("*.ckpt") if f.stem.isdecimal()), reverse=True)
