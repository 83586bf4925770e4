"""Is this machine fit for horae? A list of checks, none of which can fail the others."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal

from horae.errors import one_line

NEEDED = ("torch", "numpy", "scipy", "scikit-learn", "matplotlib", "typer", "rich", "cryptography", "torch-pruning")
OLDEST = (3, 11)
KERNELS = {  # what each is for: its module, and the function that loads it or compiles it first
    "linear models and perceptrons": ("horae.training.native", "compiled"),
    "bags of words": ("horae.training.sparse_kernel", "compiled_sparse"),
    "convolutions": ("horae.training.conv_kernel", "compiled"),
}
ROOM = 2**28  # bytes of /dev/shm below which many workers and large models do not fit


@dataclass(frozen=True)
class Finding:
    """state: "ok", "note" (horae works without it) or "wrong" (it does not)."""

    check: str
    found: str
    remedy: str = ""
    state: Literal["ok", "note", "wrong"] = "ok"


Check = Callable[[], Iterator[Finding]]


def examine(data_root: Path | None = None) -> list[Finding]:
    """Everything that is checked, in the order in which it is shown. data_root: where data sets lie."""
    checks: dict[str, Check] = {
        "python": _python,
        "packages": _packages,
        "extras": _extras,
        "threads": _threads,
        "kernels": _kernels,
        "data": lambda: _data(data_root),
        "GPU": _gpu,
        "/dev/shm": _memory,
        "text": _text,
    }
    return [finding for name, check in checks.items() for finding in isolated(name, check)]


def isolated(name: str, check: Check) -> list[Finding]:
    """What a check finds; what it dies of is a note of its own."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except Exception as error:
        why = f"cannot be looked at: {type(error).__name__}: {one_line(error, 120)}"
        found.append(Finding(name, why, "please report it", "note"))
    return found


def _python() -> Iterator[Finding]:
    from horae import __version__

    yield Finding("horae", f"{__version__}, {one_line(Path(__file__).parent, 100)}")
    old = sys.version_info < OLDEST
    yield Finding(
        "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        f"install Python {'.'.join(map(str, OLDEST))} or later" if old else "", "wrong" if old else "ok",
    )  # fmt: skip


def _packages() -> Iterator[Finding]:
    """Versions by their metadata; torch and numpy are imported as well, for a build may not suit the machine."""
    for name in NEEDED:
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Finding(name, "not installed", f"pip install {name}", "wrong")
            continue
        try:
            if name in ("torch", "numpy"):
                importlib.import_module(name)
            yield Finding(name, found)
        except Exception as error:
            why = f"{found} cannot be imported: {one_line(error, 100)}"
            yield Finding(name, why, f"pip install --force-reinstall {name}", "wrong")


def _extras() -> Iterator[Finding]:
    """Which optional parts have all that they ask for."""
    for extra, names in extras(requires("horae") or []).items():
        missing = [name for name in names if not _installed(name)]
        found = ", ".join(f"{name} {version(name)}" for name in names if name not in missing)
        lacks = f"not installed: {', '.join(missing)}" if missing else ""
        remedy = f'pip install "horae[{extra}]"' if missing else ""
        state: Literal["ok", "note"] = "note" if missing else "ok"
        yield Finding(f"extra {extra}", "; ".join(filter(None, (found, lacks))), remedy, state)


def extras(requirements: list[str]) -> dict[str, list[str]]:
    """The packages of each extra but `dev`, from the metadata's lines.

    >>> extras(["numpy>=2.0", "ray>=2.50; extra == 'ray'", "mypy; extra == 'dev'"])
    {'ray': ['ray']}
    """
    import re

    table: dict[str, list[str]] = {}
    for line in requirements:
        name, extra = re.match(r"[\w.-]+", line), re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if name and extra and extra[1] != "dev":
            table.setdefault(extra[1], []).append(name[0])
    return table


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _threads() -> Iterator[Finding]:
    import torch
    from threadpoolctl import threadpool_info

    cores = cores_here()
    pools = [f"{pool.get('internal_api', '?')} {pool.get('num_threads', '?')}" for pool in threadpool_info()]
    yield Finding("cores", f"{cores} for this process, {os.cpu_count()} in the machine")
    yield Finding("threads", f"torch {torch.get_num_threads()}, {', '.join(pools) or 'no pool of BLAS or OpenMP'}")


def cores_here() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _kernels() -> Iterator[Finding]:
    """The compiler, and what was compiled with it; the first time, it is compiled now."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "horae" / "kernels"
    compiler = shutil.which(os.environ.get("CC") or "cc")
    slower = "install a C compiler (cc, or name one in CC); without it training is slower, not different in kind"
    yield Finding("compiler", compiler or "none", "" if compiler else slower, "ok" if compiler else "note")
    for what, (module, function) in KERNELS.items():
        usable = getattr(importlib.import_module(module), function)() is not None
        remedy = "" if usable else slower if compiler is None else f"see that {cache} can be written and cc works"
        found = f"for {what}: {f'compiled, in {cache}' if usable else 'none'}"
        yield Finding("kernel", one_line(found, 160), remedy, "ok" if usable else "note")


def _data(data_root: Path | None) -> Iterator[Finding]:
    """The data directory, and which named populations have their data."""
    from horae.population import POPULATIONS
    from horae.population.files import data_directory

    root = data_directory(data_root)
    there = "" if root.is_dir() else " (not there yet)"
    yield Finding("data directory", f"{one_line(root, 120)}{there}", "" if root.is_dir() else _elsewhere(), "ok")
    here: list[str] = []
    missing: list[str] = []
    for name, population in POPULATIONS.items():
        why: Any = "its fields have no defaults"
        try:
            why = population().missing(data_root)
        except Exception as error:
            why = error
        (here if why is None else missing).append(name)
    yield Finding("data here", ", ".join(here) or "none", "" if here else _elsewhere(), "ok" if here else "wrong")
    if missing:
        yield Finding("data missing", ", ".join(missing), "horae data list says what each needs, and where", "note")


def _elsewhere() -> str:
    return "name another with --data-root or HORAE_DATA; the demo needs none"


def _gpu() -> Iterator[Finding]:
    import torch

    if not torch.cuda.is_available():
        yield Finding("GPU", "none that torch can use", "", "ok")
        return
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield Finding("GPU", ", ".join(names))


def _memory() -> Iterator[Finding]:
    """Where the processes of `--workers` and the data plane `shm` hold what they share."""
    place = Path("/dev/shm")
    if not place.is_dir() or not os.access(place, os.W_OK):
        yield Finding(
            "/dev/shm", "not there, or not writable", "run with --workers 1 and without data plane shm", "note"
        )
        return
    free = shutil.disk_usage(place).free
    remedy = "enlarge it (docker run --shm-size 1g), or run with --workers 1" if free < ROOM else ""
    yield Finding("/dev/shm", f"{free / 2**30:.2f} GiB free", remedy, "note" if remedy else "ok")


def _text() -> Iterator[Finding]:
    """Whether the terminal's encoding has the letters of the tables."""
    encoding = sys.stdout.encoding or "none"
    try:
        "±→γ".encode(encoding)
        fine = True
    except (LookupError, UnicodeEncodeError):
        fine = False
    named = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or "not set"
    remedy = "" if fine else "export PYTHONUTF8=1"
    yield Finding("locale", f"{one_line(named, 40)}, stdout in {encoding}", remedy, "ok" if fine else "note")
