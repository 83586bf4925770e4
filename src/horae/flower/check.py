"""What can be known to be wrong with a deployment before a run begins.

Nothing here needs Flower but the list of nodes, which is asked of the `flwr` command; nothing is changed or sent.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from horae.flower import check_app, check_keys, check_net
from horae.flower.finding import Finding, ok, warn, wrong
from horae.flower.versions import BEFORE, OLDEST, TRIED, dotted, installed, numbers

QUIET = {
    "FLWR_TELEMETRY_ENABLED": ("0", "usage is reported to Flower Labs"),
    "FLWR_DISABLE_UPDATE_CHECK": ("1", "each command asks api.flower.ai for updates"),
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": ("1", "`uv sync` asks the package index before each run"),
}


@dataclass(frozen=True)
class Deployment:
    """What is to be checked; what is not given is not looked at.

    app: the app's directory. superlinks: host:port each. insecure: no TLS. nodes: how many must be online. ca, cert,
    key: the authority's certificate, the server's and its private key. node_key: a SuperNode's private key. state_dir:
    where a node keeps what lasts.
    """

    app: Path | None = None
    superlinks: tuple[str, ...] = ()
    insecure: bool = False
    nodes: int = 0
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    node_key: Path | None = None
    state_dir: Path | None = None


def verify(deployment: Deployment, ask: check_net.Ask | None = None) -> list[Finding]:
    """All findings, in the order in which to mend them.

    ask: who asks the nodes of a running SuperLink which horae they have (see `check_net.nodes`); none asks nobody.
    """
    return list(_findings(deployment, ask))


def _findings(deployment: Deployment, ask: check_net.Ask | None) -> Iterator[Finding]:
    yield python()
    yield flower(installed("flwr"))
    yield surroundings(dict(os.environ))
    if deployment.app is not None:
        yield from check_app.findings(deployment.app)
    if deployment.state_dir is not None:
        yield state(deployment.state_dir)
    hosts = [host for host, _ in map(check_net.parted, deployment.superlinks)]
    ca, cert, key = deployment.ca, deployment.cert, deployment.key
    if not deployment.insecure:
        yield from check_keys.certificates(ca, cert, key, hosts)
    if deployment.node_key is not None:
        yield check_keys.node_key(deployment.node_key)
    for address in deployment.superlinks:
        mine = deployment.insecure or cert is not None
        yield from check_net.superlink(address, ca, deployment.insecure, mine, deployment.nodes, ask)


def python() -> Finding:
    """The interpreter."""
    here = ".".join(map(str, sys.version_info[:3]))
    return ok("python", here) if sys.version_info >= (3, 11) else wrong("python", here, "use Python 3.11 or newer")


def flower(version: str | None) -> Finding:
    """Flower's version."""
    wanted = f"{dotted(OLDEST)} <= flwr < {dotted(BEFORE)}"
    if version is None:
        return wrong("flwr", "not installed", 'pip install "horae[flower]"')
    if not OLDEST <= numbers(version)[:2] < BEFORE:
        return wrong("flwr", version, f'horae needs {wanted}: pip install "horae[flower]"')
    if numbers(version)[:2] > TRIED:
        return warn("flwr", version, f"newer than the newest that was tried, {dotted(TRIED)}")
    return ok("flwr", version)


def surroundings(environment: dict[str, str]) -> Finding:
    """Flower's own calls to the outside."""
    loose = {name: value for name, (value, _) in QUIET.items() if environment.get(name, "").lower() not in _said(value)}
    if not loose:
        return ok("environment", "no telemetry, no update check, no installing at run time")
    found = "; ".join(QUIET[name][1] for name in loose)
    return warn("environment", found, "export " + " ".join(f"{name}={value}" for name, value in loose.items()))


def _said(value: str) -> tuple[str, ...]:
    return ("0", "false") if value == "0" else ("1", "true", "yes", "on")


def state(directory: Path) -> Finding:
    """Where a node keeps its affinity record: it can be made and written to."""
    place = directory
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        remedy = f"give the user who runs the SuperNode a directory: mkdir -p {directory} && chown ... {directory}"
        return wrong("state-dir", f"cannot write to {place}: {error.strerror}", remedy)
    return ok("state-dir", f"{directory} can be written to" if place == directory else f"{directory} can be made")
