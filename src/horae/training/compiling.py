"""C sources of ours, compiled once per machine."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

Flags = tuple[tuple[str, ...], ...]  # the best first


def compiled_library(source: Path, flags: Flags) -> ctypes.CDLL | None:
    """The library of this source, and of headers whose names begin as its own, compiled if it was not yet; None where
    that cannot be done.
    """
    file = _cached(source, flags)
    try:
        return None if file is None else ctypes.CDLL(str(file))
    except OSError:
        return None


def _cached(source: Path, flags: Flags) -> Path | None:
    """The compiled file. Its name tells sources, compiler and processor, so that a shared home serves many machines."""
    compiler = shutil.which(os.environ.get("CC") or "cc")
    if compiler is None:
        return None
    written = b"".join(part.read_bytes() for part in sorted(source.parent.glob(f"{source.stem}*.[ch]")))
    facts = (written, _output(compiler, "--version"), _processor(), repr(flags).encode())
    name = f"{source.stem}-{hashlib.blake2b(b'|'.join(facts), digest_size=12).hexdigest()}.so"
    file = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "horae" / "kernels" / name
    return file if file.exists() or _compile(compiler, source, flags, file) else None


def _compile(compiler: str, source: Path, choices: Flags, file: Path) -> bool:
    """Whether it worked, with the first flags that the compiler takes."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            made = Path(folder) / file.name
            for flags in choices:
                words = [compiler, *flags, "-shared", "-fPIC", "-o", str(made), str(source), "-lm"]
                if subprocess.run(words, capture_output=True, timeout=120).returncode == 0:
                    os.replace(made, file)
                    return True
    except (OSError, subprocess.SubprocessError):
        pass
    return False


def _output(*words: str) -> bytes:
    try:
        return subprocess.run(words, capture_output=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return b""


def _processor() -> bytes:
    """What the compiler's "native" means here."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().split(b"\n\n")[0].split(b"\n")
        return b"|".join(line for line in lines if line.startswith((b"model name", b"flags", b"Features", b"CPU part")))
    except OSError:
        return " ".join(platform.uname()).encode()
