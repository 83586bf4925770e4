"""The harness' side of an engine: its process, commands to it, and what it uses of the machine."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.train.engines import Entry

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300.0  # for one answer


class EngineFailed(Exception):
    """An engine died or did not answer; the message is its last word."""


class EngineProcess:
    """A running engine, started with its data; `about` is what it says of itself.

    While nothing is asked of it its main process is stopped, so that it disturbs nobody: Flower's looks through all its
    nodes ten times a second. A process group of its own keeps Ctrl-C from it, and the kernel ends a stopped one whose
    harness is gone.
    """

    def __init__(self, python: Path, entry: Entry, task: Path, log: Path) -> None:
        self._log, self._buffer = log, b""
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(python), "-m", f"benchmarks.train.engines.{entry.module}", str(task), entry.argument],
                cwd=ROOT,
                env={**os.environ, **entry.variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                process_group=0,
            )
        try:
            self.about: dict[str, Any] = self._answer()["about"]
        except EngineFailed:
            self.stop()
            raise
        self._baseline = self._forget_peak()
        self._process.send_signal(signal.SIGSTOP)

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Wake it, give a command, wait for its answer."""
        assert self._process.stdin is not None
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise EngineFailed(self._last_words()) from None
        answer = self._answer()
        self._process.send_signal(signal.SIGSTOP)
        return answer

    def round(self) -> tuple[float, float]:
        """One round: seconds by the engine's clock, and seconds of CPU by all its processes."""
        before = self._cpu_s()
        seconds = self.ask("round")["seconds"]
        return seconds, self._cpu_s() - before

    def peak_mb(self) -> float:
        """The most memory that it has added since it was ready, all its processes together."""
        return sum(_status(pid, "VmHWM") for pid in tree(self._process.pid)) - self._baseline

    def stop(self) -> None:
        """End it, kindly, then the rest of its processes."""
        family = tree(self._process.pid)
        self._process.send_signal(signal.SIGCONT)
        assert self._process.stdin is not None
        with suppress(OSError, subprocess.TimeoutExpired):
            self._process.stdin.write(b'{"do": "stop"}\n')
            self._process.stdin.close()
            self._process.wait(30)
        for pid, born in family.items():
            if _born(pid) == born:  # still the same process
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        deadline = time.monotonic() + PATIENCE_S
        while b"\n" not in self._buffer:
            waiting, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(self._process.stdout.fileno(), 65536) if waiting else b""
            if not piece:
                raise EngineFailed(self._last_words())
            self._buffer += piece
        line, self._buffer = self._buffer.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:160] if lines else "no answer"

    def _cpu_s(self) -> float:
        return sum(_cpu_s(pid) for pid in tree(self._process.pid))

    def _forget_peak(self) -> float:
        """Resident MB now, which later peaks are counted from."""
        for pid in tree(self._process.pid):
            with suppress(OSError):  # where that is not allowed the peak since birth stays
                Path(f"/proc/{pid}/clear_refs").write_text("5")
        return sum(_status(pid, "VmHWM") for pid in tree(self._process.pid))


def tree(root: int) -> dict[int, int]:
    """A process and its descendants, with the clock tick at which each was born."""
    stats = {int(folder.name): _stat(int(folder.name)) for folder in Path("/proc").glob("[0-9]*")}
    alive = {pid: fields for pid, fields in stats.items() if fields}
    found = {root} & alive.keys()
    while more := {pid for pid, fields in alive.items() if int(fields[1]) in found} - found:
        found |= more
    return {pid: int(alive[pid][19]) for pid in found}


def _born(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def _stat(pid: int) -> list[str]:
    """The kernel's fields about a process after its name, none for one that has ended: see proc(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _status(pid: int, field: str) -> float:
    """MB in a field of the kernel's status of a process, 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field + ":")), 0.0)


def _cpu_s(pid: int) -> float:
    """User and system seconds of a process, by the kernel's clock of it: see clock_getcpuclockid(3)."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def python_of(peer: str | None) -> Path | None:
    """The interpreter of a peer's own environment, None where that is not installed; horae's own for None."""
    if peer is None:
        return Path(sys.executable)
    ready = ROOT / ".bench" / peer / "ready"
    return ready.parent / "bin" / "python" if ready.exists() else None
