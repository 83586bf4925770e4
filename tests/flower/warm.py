"""Flower's commands from a process that has imported everything already: a fork in place of a start.

Flower starts a Python process for every message; importing flwr, torch and horae is most of what that costs. Here a
small script of the same name, first on PATH, hands its arguments to one warm process, which forks. Nothing of Flower
is changed but, where `nap` is given, how long it sleeps between two polls: that many seconds, in place of 0.5 to 3.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

COMMANDS = ("flower-superlink", "flower-supernode", "flower-superexec", "flwr-serverapp", "flwr-clientapp", "flwr")
AHEAD = ("flwr.app", "flwr.clientapp", "flwr.serverapp", "flwr.serverapp.strategy", "torch", "horae", "horae.runner")
NAP, POLL = "HORAE_TEST_NAP", 3.0  # Flower polls every 3 s at the slowest; what it waits longer for is not a poll
SHIM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as warm:
    warm.connect({path!r})
    told = json.dumps([os.path.basename(sys.argv[0]), sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(warm, [len(told).to_bytes(8, "big")], [1, 2])
    warm.sendall(told)
    code = warm.recv(8)
sys.exit(int(code or b"1"))
"""


class Warm:
    """The warm process, the folder with its scripts, and which process it forked for whom."""

    def __init__(self, env: dict[str, str]) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="warm-"))
        self.bin, self.registry = self.home / "bin", self.home / "forked"
        self.bin.mkdir()
        self.registry.mkdir()
        path = str(self.home / "socket")
        for name in COMMANDS:
            (self.bin / name).write_text(SHIM.format(python=sys.executable, path=path))
            (self.bin / name).chmod(0o755)
        self.log = (self.home / "log").open("ab")
        command = [sys.executable, __file__, path, str(self.registry)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=env, start_new_session=True,
            preexec_fn=die_with_parent,
        )  # fmt: skip
        end = time.monotonic() + 120
        while not Path(path).exists():
            if self.process.poll() is not None or time.monotonic() > end:
                words = (self.home / "log").read_text()
                self.close()
                raise RuntimeError(f"the warm process did not start:\n{words[-2000:]}")
            time.sleep(0.02)

    def forked(self, mark: str) -> dict[int, str]:
        """The living processes that were forked for a mark, by id, with their command lines."""
        found = {}
        for file in self.registry.glob(f"{mark}-*"):
            pid = int(file.name.rpartition("-")[2])
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                if stat[0] != "Z" and stat[19] == (told := file.read_text()).partition(" ")[0]:
                    found[pid] = told.partition(" ")[2]
        return found

    def close(self) -> None:
        """Kill the warm process; what it forked dies with it."""
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)


def die_with_parent() -> None:
    """Have the kernel kill this process once its parent is gone."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def serve(path: str, registry: Path) -> None:
    """Import, listen, fork."""
    commands = {entry.name: entry.load() for entry in entry_points(group="console_scripts") if entry.name in COMMANDS}
    for name in AHEAD:
        __import__(name)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path + ".new")
        door.listen(64)
        os.rename(path + ".new", path)
        while True:
            caller, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _answer(caller, commands, registry)
            caller.close()


def _answer(caller: socket.socket, commands: dict[str, Any], registry: Path) -> None:
    """In a child: fork again, wait for that one, tell its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    die_with_parent()
    size, fds, _, _ = socket.recv_fds(caller, 8, 2)
    told = b""
    while len(told) < int.from_bytes(size, "big"):
        told += caller.recv(1 << 16)
    pid = os.fork()
    if pid == 0:
        caller.close()
        _become(json.loads(told), fds, commands, registry)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if select.select([caller], [], [], 0.05)[0]:  # the script ended: it was killed, and so is what it stands for
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os._exit(0)
    with contextlib.suppress(OSError):
        caller.sendall(str(max(0, os.waitstatus_to_exitcode(status)) or (status and 1)).encode())
    os._exit(0)


def _become(told: list[Any], fds: list[int], commands: dict[str, Any], registry: Path) -> None:
    """In the grandchild: be the command."""
    name, words, where, env = told
    os.setsid()
    die_with_parent()
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    record = registry / f"{env.get('HORAE_TEST_OWNER', 'nobody')}-{os.getpid()}"
    record.write_text(f"{stat[19]} {' '.join([name, *words])}")
    for one, other in zip(fds, (1, 2), strict=True):
        os.dup2(one, other)
        os.close(one)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(where)
    sys.argv = [name, *words]
    if nap := float(env.get(NAP) or 0):
        sleep = time.sleep
        time.sleep = lambda seconds: sleep(nap if nap < seconds <= POLL else seconds)
    code: Any = 1
    try:
        code = commands[name]()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        record.unlink(missing_ok=True)
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
