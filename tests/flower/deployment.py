"""A whole Flower deployment on loopback, owned by the test that starts it: SuperLink, SuperNodes, runs, kills.

Every process that is started here hands a mark of its own to all that it starts; `close` kills by that mark, and none
outlives it. Should we be killed ourselves, the kernel kills the first of them, and Flower's own watch ends the rest.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from credentials import node_keys, server_certificates
from owned import BIN, Owned, free_ports, members, quiet, until
from warm import NAP, Warm

__all__ = ["BIN", "Deployment", "Owned", "Run", "Warm", "free_ports", "members", "quiet", "until"]
CONNECTION = "here"  # the deployment's name in Flower's config.toml


@dataclass(frozen=True)
class Run:
    """A finished `flwr run`: its exit code, its log, its id."""

    code: int
    log: str
    id: str
    status: str


@dataclass
class Deployment:
    """SuperLink and SuperNodes 0..nodes-1 with a Flower home under `home`.

    tls: certificates and registered node keys. database: the SuperLink's state survives it (runs and node ids; always
    with tls). config: more of the node configuration for every node, e.g. {"data": "digits"}. env: more environment,
    None takes one away. warm: Flower's commands are forked from this process. nap: and poll this often.
    """

    home: Path
    nodes: int = 2
    tls: bool = False
    database: bool = False
    config: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str | None] = field(default_factory=dict)
    warm: Warm | None = None
    nap: float = 0.0
    superlink: Owned | None = field(default=None, init=False)
    supernodes: dict[int, Owned] = field(default_factory=dict, init=False)
    runs: list[Owned] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.home = Path(self.home).resolve()
        self.home.mkdir(parents=True, exist_ok=True)
        self.port, *self.node_ports = free_ports(1 + self.nodes)
        self.runtime = Path(tempfile.mkdtemp(prefix="run-"))  # for sockets, whose names must be short

    @property
    def address(self) -> str:
        """host:port of the SuperLink."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Deployment:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---------------------------------------------------------------- starting

    def start(self) -> Deployment:
        """Everything, ready: the SuperLink first, keys registered, then all nodes at once."""
        cli = self.home / "cli"
        cli.mkdir(exist_ok=True)
        way = f'root-certificates = "{self.home / "ca.crt"}"' if self.tls else "insecure = true"
        (cli / "config.toml").write_text(
            f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\naddress = "{self.address}"\n{way}\n'
        )
        if self.tls:
            server_certificates(self.home)
        self.start_superlink()
        for i in range(self.nodes) if self.tls else ():
            key = node_keys(self.home / f"node-{i}.key")
            self.flwr("supernode", "register", str(key), CONNECTION)
        self.start_nodes(*range(self.nodes))
        return self

    def start_superlink(self) -> None:
        """The SuperLink, listening; its database is where it was."""
        command = [self._bin("flower-superlink"), "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--disable-runtime-dependency-installation"]
        if self.tls:
            for flag, name in (("ca-certfile", "ca.crt"), ("certfile", "server.crt"), ("keyfile", "server.key")):
                command += [f"--ssl-{flag}", str(self.home / name)]
            command += ["--enable-supernode-auth"]
        else:
            command += ["--insecure"]
        if self.database or self.tls:
            command += ["--database", str(self.home / "superlink.db")]
        self.superlink = self._owned("superlink", command)
        until(self._listens, 60, lambda: f"the SuperLink does not listen:\n{self.superlink.text[-2000:]}")

    def start_nodes(self, *which: int) -> None:
        """These SuperNodes, side by side, and wait until each knows its id."""
        before = {i: len(self.node_ids(i)) for i in which}
        for i in which:
            state = self.home / f"state-{i}"
            state.mkdir(exist_ok=True)
            config = {"client": i, "state-dir": str(state), **self.config}
            words = " ".join(f"{key}={json.dumps(value)}" for key, value in config.items())
            command = [self._bin("flower-supernode"), "--superlink", self.address]
            command += ["--port", str(self.node_ports[i]), "--node-config", words]
            if self.tls:
                command += ["--root-certificates", str(self.home / "ca.crt")]
                command += ["--auth-supernode-private-key", str(self.home / f"node-{i}.key")]
            else:
                command += ["--insecure"]
            self.supernodes[i] = self._owned(f"node-{i}", command)
        for i in which:
            until(
                lambda i=i: self._knows_its_id(i, before[i]), 120, lambda i=i: f"SuperNode {i} waits:\n{self._end(i)}"
            )

    def _knows_its_id(self, i: int, before: int) -> bool:
        """Whether SuperNode i connected; started again where its key was refused, being believed online still."""
        one = self.supernodes[i]
        if one.process.poll() is not None and len(self.node_ids(i)) <= before:
            if "Failed to activate SuperNode" not in self._end(i):
                raise RuntimeError(f"SuperNode {i} ended:\n{self._end(i)}")
            one.kill()
            time.sleep(2)
            self.supernodes[i] = self._owned(f"node-{i}", one.command)
        return len(self.node_ids(i)) > before

    def _end(self, i: int) -> str:
        return self.supernodes[i].text[-2000:]

    def node_ids(self, i: int) -> list[str]:
        """Every id that SuperNode i was given, the latest last."""
        return re.findall(r"SuperNode ID: (\d+)", self.supernodes[i].text) if i in self.supernodes else []

    # ---------------------------------------------------------------- runs

    def flwr(self, *words: str, seconds: float = 60) -> str:
        """A `flwr` command that works: its output."""
        done = subprocess.run(
            [self._bin("flwr"), *words], env=self.environment("cli"), cwd=self.home, capture_output=True, text=True,
            timeout=seconds, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"flwr {' '.join(words)}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stdout

    def nodes_told(self) -> list[dict[str, Any]]:
        """What `flwr supernode list` tells."""
        return list(_json(self.flwr("supernode", "list", CONNECTION, "--format", "json"))["nodes"])

    def begin(self, app: Path, **config: Any) -> Owned:
        """`flwr run` with these run configurations, in the background; dashes for underscores are made here."""
        words = [f"{key.replace('_', '-')}={json.dumps(value)}" for key, value in config.items()]
        command = [self._bin("flwr"), "run", str(app), CONNECTION, "--stream"]
        command += [piece for word in words for piece in ("--run-config", word)]
        self.runs.append(self._owned(f"run-{len(self.runs)}", command, "cli"))
        return self.runs[-1]

    def finish(self, run: Owned, seconds: float = 300) -> Run:
        """Wait for a run to end; its log is the ServerApp's."""
        try:
            code = run.process.wait(seconds)
        except subprocess.TimeoutExpired:
            run.kill()
            raise TimeoutError(f"the run did not end in {seconds:g} s:\n{self.told(run)}") from None
        run_id = self.run_id(run)
        told = _json(self.flwr("list", CONNECTION, "--format", "json"))["runs"] if run_id else []
        status = next((str(one["status"]) for one in told if str(one["run-id"]) == run_id), "")
        return Run(code, run.text, run_id, status)

    def run(self, app: Path, seconds: float = 300, **config: Any) -> Run:
        """`flwr run`, from begin to end."""
        return self.finish(self.begin(app, **config), seconds)

    def run_id(self, run: Owned) -> str:
        """The id that the SuperLink gave the run, or nothing yet."""
        found = re.search(r"started run (\d+)", run.text)
        return found[1] if found else ""

    def told(self, run: Owned | None = None, most: int = 1500) -> str:
        """The ends of all logs: what a failing test shows."""
        owned = {"run": run, "superlink": self.superlink, **{f"node-{i}": n for i, n in self.supernodes.items()}}
        return "\n".join(f"--- {name}\n{one.text[-most:]}" for name, one in owned.items() if one is not None)

    # ---------------------------------------------------------------- harm

    def kill_node(self, i: int) -> None:
        """Kill -9 a SuperNode and what it started."""
        self.supernodes[i].kill()

    def stop_node(self, i: int) -> None:
        """End a SuperNode by SIGTERM: it tells the SuperLink, which does not wait for its heartbeat then."""
        self.supernodes[i].stop()

    def restart_node(self, i: int, kill: bool = True) -> None:
        """End a SuperNode and start it again at the same port with the same state directory.

        With a registered key, after a kill, this takes as long as the SuperLink believes it online: up to a minute.
        """
        (self.kill_node if kill else self.stop_node)(i)
        self.start_nodes(i)

    def kill_server_app(self) -> None:
        """Kill -9 the process that runs the ServerApp; Flower calls the run failed once it misses its heartbeat."""
        until(lambda: self.superlink.find("flwr-serverapp"), 60, "a ServerApp")
        while self.superlink.find("flwr-serverapp"):
            self.superlink.signal(signal.SIGKILL, "flwr-serverapp")
            time.sleep(0.05)

    def kill_superlink(self) -> None:
        """Kill -9 the SuperLink and what it started, the ServerApp included."""
        self.superlink.kill()

    def close(self) -> None:
        """Kill everything that was started here."""
        for owned in (*self.runs, *self.supernodes.values(), self.superlink):
            if owned is not None:
                owned.kill()
        shutil.rmtree(self.runtime, ignore_errors=True)

    @property
    def kept(self) -> list[Path]:
        """The sockets of the processes that nodes keep between messages."""
        return [file for file in self.runtime.rglob("*") if file.is_socket()]

    # ---------------------------------------------------------------- parts

    def _owned(self, name: str, command: list[str], home: str = "") -> Owned:
        return Owned(command, self.home / f"{name}.log", self.environment(home or name), self.warm)

    def _bin(self, name: str) -> str:
        return str((BIN if self.warm is None else self.warm.bin) / name)

    def environment(self, name: str) -> dict[str, str]:
        """What a process of ours sees; each has a Flower home of its own, as on machines of their own."""
        home = self.home / name
        home.mkdir(exist_ok=True)
        given = quiet()
        bins = [BIN] if self.warm is None else [self.warm.bin, BIN]
        ours = {"PATH": os.pathsep.join([*map(str, bins), given["PATH"]]), "FLWR_HOME": str(home)}
        ours["XDG_RUNTIME_DIR"] = str(self.runtime)
        if self.warm is not None and self.nap:
            ours[NAP] = str(self.nap)
        changed = {**given, **ours, **self.env}
        return {key: value for key, value in changed.items() if value is not None}

    def _listens(self) -> bool:
        if self.superlink is None or self.superlink.process.poll() is not None:
            raise RuntimeError(f"the SuperLink ended:\n{self.superlink.text[-2000:] if self.superlink else ''}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _json(text: str) -> Any:
    return json.loads(text[text.index("{") :])
