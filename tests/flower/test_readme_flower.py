"""The commands in a new app's README.md, as a shell runs them: on one machine, and with certificates and keys."""

import json
import os
import re
import sys

import pytest
from owned import BIN, Owned, free_ports, quiet, until

from horae.flower.making import make_app

pytestmark = pytest.mark.flower
ROUNDS = 4


@pytest.fixture
def app(tmp_path):
    """The app as it is made, for fewer rounds; names are short because Flower's sockets' are not."""
    place = tmp_path / "my-app"
    make_app(place)
    file = place / "experiment.toml"
    text = file.read_text()
    assert text.count("participations = 240") == 1
    file.write_text(text.replace("participations = 240", f"participations = {8 * ROUNDS}"))
    return place


@pytest.fixture
def shell(app, tmp_path, warm):
    """Runs blocks of the README in one bash; it, and all that it began, ends with the test."""
    begun = []
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "horae").write_text(f'#!/bin/sh\nexec {sys.executable} -m horae "$@"\n')
    (bin / "horae").chmod(0o755)

    def run(blocks, seconds=1200):
        port, *ports = free_ports(9)
        text = "\n".join(blocks).replace(":9000", f":{port}").replace("--port 9000", f"--port {port}")
        for k, own in enumerate(ports):
            text = text.replace(f"910{k}", str(own))
        text = text.replace("--port 910$k", f"--port $(set -- {' '.join(map(str, ports))}; shift $k; echo $1)")
        assert "9000" not in text.replace(str(port), "") and "910$k" not in text
        script = tmp_path / "commands.sh"
        script.write_text(f"set -e\nPORT={port}\ncd {app}\n{text}\necho all of it ran\nkill $(jobs -p)\n")
        env = {**quiet(), "HORAE_TEST_NAP": "0.4", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
        env["PATH"] = os.pathsep.join(map(str, [bin, warm.bin, BIN, env["PATH"]]))
        begun.append(Owned(["bash", str(script)], tmp_path / "commands.log", env, warm))
        owned = begun[-1]
        until(lambda: owned.process.poll() is not None, seconds, lambda: owned.text[-4000:])
        assert owned.process.returncode == 0 and "all of it ran" in owned.text, owned.text[-4000:]
        return owned.text

    yield run
    for owned in begun:
        owned.kill()


def blocks(app):
    """The README's commands by section: {heading: [block, ...]}."""
    sections = re.split(r"^## ", (app / "README.md").read_text(), flags=re.M)
    return {s.partition("\n")[0]: re.findall(r"^```\w*\n(.*?)^```", s, re.M | re.S) for s in sections}


def test_on_one_machine(app, shell):
    found = blocks(app)
    told = shell(found["On one machine"])
    assert (app / "runs/first/summary.json").is_file(), told[-6000:]
    done = json.loads((app / "runs/first/summary.json").read_text())
    assert done["participations"] == 8 * ROUNDS
    assert (app / "runs/first/report.html").is_file() and "8 online" in told


def test_with_certificates_and_keys(app, shell):
    found = blocks(app)
    certificates, server, registered, node, run = found["On many machines: TLS and known nodes"]
    node = (
        node.replace("node-0", "node-$k").replace("client=0", "client=$k").replace("/var/lib/my-app", "$PWD/state-$k")
    )
    config = re.search(r"--node-config '(.*?)'", node)[1]
    node = node.replace(f"'{config}'", '"' + config.replace('"', r"\"") + '" --port 910$k &').replace(
        "\\\n  --node", "--node"
    )
    nodes = f"for k in 0 1 2 3 4 5 6 7; do\nmkdir -p state-$k\n{node.rstrip()}\ndone"
    listens = "until (exec 3<>/dev/tcp/127.0.0.1/$PORT) 2>/dev/null; do sleep 0.1; done"
    online = "horae deploy check . --superlink $SERVER:9000 --ca deployment/keys/ca.crt --nodes 8"
    shell(
        [
            certificates.replace("fl.example.org", "localhost"),
            server.replace("0.0.0.0", "127.0.0.1").rstrip() + " &",
            listens,
            registered,
            nodes,
            f"until {online}; do sleep 1; done",
            run.replace("--stream", '--stream --run-config "out=\\"$PWD/runs/first\\""'),
        ]
    )
    assert json.loads((app / "runs/first/summary.json").read_text())["participations"] == 8 * ROUNDS
