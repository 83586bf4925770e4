"""Redis, a relay and two ProxyStore endpoints on loopback, started for these tests and stopped after them."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens at port {port}")


@contextmanager
def running(command, port, **named):
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **named
    )
    try:
        wait_for(port)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def redis_server(*more):
    if not shutil.which("redis-server"):
        pytest.skip("no redis-server; apt-get install redis-server")
    port = free_port()
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *more]
    with running(command, port, cwd="/tmp") as process:
        yield port, process


@pytest.fixture(scope="session")
def redis_port():
    with redis_server() as (port, _):
        yield port


@pytest.fixture(scope="session")
def endpoints(tmp_path_factory):
    """(ids of two endpoints, a home with both, a home with the second alone)."""
    pytest.importorskip("proxystore")
    home = tmp_path_factory.mktemp("proxystore")
    relay, ports, ids = free_port(), (free_port(), free_port()), []
    env = {**os.environ, "PROXYSTORE_HOME": str(home)}
    command = [BIN / "proxystore-relay", "--host", "127.0.0.1", "--port", relay]
    with running(command, relay, cwd=home):
        for name, port in zip(("first", "second"), ports, strict=True):
            at = ["--host", "127.0.0.1", "--port", str(port), "--relay-address", f"ws://127.0.0.1:{relay}"]
            subprocess.run(
                [BIN / "proxystore-endpoint", "configure", name, *at, "--no-relay-auth"],
                env=env, check=True, capture_output=True,
            )  # fmt: skip
            config = home / name / "config.toml"
            text = config.read_text()
            ids += re.findall(r'^uuid = "(.+)"', text, re.M)
            config.write_text(re.sub(r"^ice_servers.*$", "ice_servers = []", text, flags=re.M))
        start = [[BIN / "proxystore-endpoint", "start", name, "--no-detach"] for name in ("first", "second")]
        with running(start[0], ports[0], env=env), running(start[1], ports[1], env=env):
            alone = tmp_path_factory.mktemp("alone")
            shutil.copytree(home / "second", alone / "second")
            yield tuple(ids), home, alone
