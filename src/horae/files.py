"""Files that are whole or not there, and directories that one run at a time may use."""

from __future__ import annotations

import errno
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from horae.errors import ConfigError, DataError, NoRoom, RunError, brief, one_line

LOCK, PART = ".lock", ".part"  # a lock, and the ending of a file that is being written
PROCESS = ".process"  # which process works in a directory: see `horae.pids`
LONGEST = 2**20  # bytes of a TOML file


def read_toml(file: Path, what: str, remedy: str = "check the path") -> dict[str, Any]:
    """What a TOML file holds. what: it is called; remedy: what to do if it is not there. Errors: ConfigError."""
    name = brief(str(file), 120)
    try:
        with file.open("rb") as source:
            data = source.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise ConfigError(f"{name} is longer than any {what}, {LONGEST:,} bytes; check the path")
        return tomllib.loads(data.decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"there is no {what} {name}; {remedy}") from None
    except OSError as error:
        raise ConfigError(f"cannot read {name}: {error.strerror}; is it the {what}?") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read {name}: it is no UTF-8 ({one_line(error, 100)}); save it as UTF-8") from None
    except (ValueError, RecursionError) as error:  # no TOML, or numbers and brackets that no reader can take
        raise ConfigError(f"{name} is not TOML: {one_line(error, 120)}") from None


def read_yaml(file: Path, remedy: str) -> Any:
    """What a YAML file holds. remedy: what to name instead, if it cannot be read. Errors: DataError."""
    try:
        import yaml
    except ImportError:
        raise DataError(f'reading {one_line(file)} needs PyYAML: pip install "horae[yaml]"') from None
    try:
        return yaml.safe_load(file.read_bytes())
    except (OSError, yaml.YAMLError, RecursionError, ValueError) as error:
        why = one_line(error.strerror if isinstance(error, OSError) else error, 120)
        raise DataError(f"cannot read {one_line(file)} ({why}); {remedy}") from None


def write_whole(file: Path, data: str | bytes, *, sync: bool = False) -> None:
    """Write a file so that whoever looks finds the old one or the new one, never half of it.

    sync: also survive a loss of power. Errors: RunError; the old file is still there then.
    """
    part = file.with_name(file.name + PART)
    try:
        with part.open("wb") as out:
            out.write(data.encode() if isinstance(data, str) else data)
            if sync:
                out.flush()
                os.fsync(out.fileno())
        os.replace(part, file)
    except OSError as error:
        with suppress(OSError):  # the first error says what is wrong
            part.unlink(missing_ok=True)
        raise unwritable(file, error) from None


def unwritable(file: Path, error: OSError) -> RunError:
    """What to say of a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return NoRoom(f"cannot write {file}: {error.strerror}; make room")
    return RunError(f"cannot write {file}: {error.strerror}; choose another place")


def is_free(directory: Path) -> bool:
    """True where nothing is: no such directory, or one that holds nothing but what a run leaves before it begins."""
    if not directory.exists():
        return True
    return all(entry.name in (LOCK, PROCESS) or entry.name.endswith(PART) for entry in directory.iterdir())


def check_writable(directory: Path) -> None:
    """Refuse a place where a directory cannot be made or written to, without making it. Errors: RunError."""
    there = directory.absolute()
    while not os.path.lexists(there):
        there = there.parent
    if not there.is_dir():
        raise RunError(f"cannot write to {directory}: {there} is not a directory; choose another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise RunError(f"cannot write to {directory}: no permission in {there}; choose another place")


@contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """Make a directory and keep others out of it; a process that dies lets go. Errors: RunError if it is in use."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise RunError(f"{directory} is in use by another run; wait for it, or choose another place") from None
    except OSError as error:
        raise unwritable(directory, error) from None
    try:
        yield
    finally:
        lock.release()
