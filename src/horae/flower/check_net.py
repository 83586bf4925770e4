"""Addresses: a port that is free for a SuperLink, or a SuperLink that answers, and its nodes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from horae.errors import one_line, require
from horae.flower.finding import Finding, ok, warn, wrong

PATIENCE_S, FLWR_S = 5.0, 60.0
Ask = Callable[[str, Path | None], Mapping[str, Mapping[str, str]]]  # (host:port, ca) -> versions by node id


def parted(address: str) -> tuple[str, int]:
    """host and port of "host:port". Errors: ConfigError."""
    host, _, port = address.rpartition(":")
    fine = bool(host) and "/" not in host and port.isdigit() and 0 < int(port) < 65536
    require(fine, "--superlink", "be host:port", address, "for example fl.example.org:9000")
    return host.strip("[]"), int(port)


def superlink(
    address: str, ca: Path | None, insecure: bool, mine: bool, least: int, ask: Ask | None = None
) -> Iterator[Finding]:
    """One SuperLink: whether it answers, and who is there. mine: nobody at this address yet is fine, if it is ours."""
    host, port = parted(address)
    check = f"superlink {address}"
    try:
        with socket.create_connection((host, port), PATIENCE_S) as line:
            said = None if insecure else handshake(line, host, ca)
    except OSError as error:
        yield absent(check, host, port, error, mine and not least)
        return
    if said is not None:
        yield wrong(check, said[0], said[1])
        return
    yield ok(check, "answers" if insecure else "answers, and its certificate is good")
    yield from nodes(address, ca, insecure, least, ask)


def absent(check: str, host: str, port: int, error: OSError, mine: bool) -> Finding:
    """Nobody answers: the port may be free for our own SuperLink."""
    if isinstance(error, socket.gaierror):
        return wrong(check, f"no such host: {host}", "check the name and the network")
    if mine:
        try:
            with socket.create_server((host, port)):
                return ok(check, "nobody there yet; the port is free")
        except OSError:
            pass  # not an address of this machine
    return wrong(check, f"no answer: {one_line(error, 80)}", "start flower-superlink there, or open the port")


def handshake(line: socket.socket, host: str, ca: Path | None) -> tuple[str, str] | None:
    """TLS as a node would do it: None, or what is wrong and what to do."""
    try:
        context = ssl.create_default_context(cafile=None if ca is None else str(ca))
        with context.wrap_socket(line, server_hostname=host):
            return None
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not good: {one_line(error.verify_message, 100)}", "give its authority by --ca"
    except ssl.SSLError as error:
        return f"does not speak TLS: {one_line(error.reason or error, 60)}", "start it with certificates, or --insecure"
    except OSError as error:
        return f"TLS failed: {one_line(error, 80)}", "start it with certificates, or say --insecure"


def nodes(address: str, ca: Path | None, insecure: bool, least: int, ask: Ask | None = None) -> Iterator[Finding]:
    """Who is connected, as `flwr supernode list` tells; and, where somebody asks them, which horae they have.

    The hook for the latter is `ask` (see `asking.asker`): it returns, by node id, {"horae": version} or {"why": what is
    wrong}, each with the "server"'s version.
    """
    try:
        told = listed(address, ca, insecure)
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        yield warn("nodes", f"cannot be listed: {one_line(error, 100)}", "try: flwr supernode list")
        return
    online = [str(node["node-id"]) for node in told if node["status"] == "online"]
    others = len(told) - len(online)
    found = f"{len(online)} online" + (f", {others} not" if others else "")
    if len(online) < max(least, 0):
        yield wrong("nodes", f"{found}; {least} are wanted", "start SuperNodes; a new one takes seconds to appear")
    elif not online:
        yield warn("nodes", found, "start SuperNodes before the run, or while it waits")
    else:
        yield ok("nodes", found)
    if ask is not None and online:
        try:
            yield having(online, ask(address, ca))
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            yield wrong(
                "horae on nodes", f"cannot be asked: {one_line(error, 160)}", "look at: flwr list, flwr log RUN"
            )


def having(online: list[str], answers: Mapping[str, Mapping[str, str]]) -> Finding:
    """Whether every node that is online has horae, and all the same."""
    check, install = "horae on nodes", 'on these nodes: pip install "horae[flower]"'
    silent = [node for node in online if node not in answers]
    if silent:
        found = f"{len(silent)} of {len(online)} did not answer: {one_line(', '.join(silent), 60)}"
        return wrong(check, found, install)
    without = [f"{node}: {answers[node].get('why', 'it has none')}" for node in online if "horae" not in answers[node]]
    if without:
        found = f"{len(without)} of {len(online)} cannot take part: {one_line('; '.join(without), 300)}"
        return wrong(check, found, install + ", or mend what they name")
    version = answers[online[0]].get("server") or answers[online[0]]["horae"]
    others = [f"{node}: {answers[node]['horae']}" for node in online if answers[node]["horae"] != version]
    if others:
        remedy = "install the same one everywhere: a server refuses nodes of another version"
        return wrong(check, f"not {version}, as elsewhere: {one_line('; '.join(others), 300)}", remedy)
    return ok(check, f"{version} on all {len(online)}")


def listed(address: str, ca: Path | None, insecure: bool) -> list[dict[str, Any]]:
    """What `flwr supernode list` tells of a SuperLink."""
    told = flwr(["supernode", "list", "checked", "--format", "json"], address, ca, insecure, FLWR_S)
    table = json.loads(told[told.index("{") :])
    if not table.get("success"):
        raise ValueError(str(table.get("error-message", "flwr refused")))
    return list(table["nodes"])


def flwr(words: list[str], address: str, ca: Path | None, insecure: bool, patience_s: float) -> str:
    """What a `flwr` command prints that speaks to this SuperLink, "checked" by name in a Flower home of its own."""
    command = Path(sys.executable).with_name("flwr")
    found = str(command) if command.exists() else shutil.which("flwr")
    if found is None:
        raise OSError("there is no flwr command")
    with tempfile.TemporaryDirectory() as home:
        way = "insecure = true" if insecure else ""
        if ca is not None and not insecure:
            way = f"root-certificates = {json.dumps(str(ca.absolute()))}"
        config = f"[superlink.checked]\naddress = {json.dumps(address)}\n{way}\n"
        (Path(home) / "config.toml").write_text(config, encoding="utf-8")
        ours = {"FLWR_HOME": home, "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
        done = subprocess.run(
            [found, *words], env={**os.environ, **ours}, text=True, stdin=subprocess.DEVNULL, timeout=patience_s,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT if words[0] == "run" else subprocess.DEVNULL, check=False,
        )  # fmt: skip
    return done.stdout
