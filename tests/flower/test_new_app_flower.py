"""What `horae new flower` writes runs on a deployment with TLS and keys, which `horae deploy check` approves of."""

import json
import subprocess
import sys

import pytest

from horae.flower.making import make_app

pytestmark = pytest.mark.flower


def checked(here, *words):
    """(exit code, findings by name) of `horae deploy check`, as a command."""
    done = subprocess.run(
        [sys.executable, "-m", "horae", "deploy", "check", *map(str, words), "--json"], env=here.environment("cli"),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, {one["check"]: one for one in json.loads(done.stdout)["checks"]}


@pytest.fixture
def small(tmp_path):
    """The app for two nodes and two rounds."""
    app = tmp_path / "new-app"
    make_app(app)
    for file, changes in {
        "experiment.toml": {"participants = 8": "participants = 2", "= 240": "= 4", "clients = 8": "clients = 2"},
        "new_app/data.py": {"CLIENTS, IMAGES = 8": "CLIENTS, IMAGES = 2"},
    }.items():
        text = (app / file).read_text()
        for old, new in changes.items():
            assert text.count(old) == 1
            text = text.replace(old, new)
        (app / file).write_text(text)
    return app


def test_a_new_app_is_checked_and_runs(deploy, small, tmp_path):
    here = deploy(nodes=2, tls=True)
    files = [f"--{name}={here.home / file}" for name, file in (("ca", "ca.crt"), ("cert", "server.crt"))]
    link = f"--superlink={here.address}"
    code, found = checked(here, small, link, *files, f"--key={here.home / 'server.key'}", "--nodes=2")
    assert code == 0, found
    assert found["nodes"]["found"] == "2 online"
    code, found = checked(here, link, files[0], f"--node-key={here.home / 'node-0.key'}", f"--state-dir={tmp_path}")
    assert code == 0, found

    done = here.run(small, out=str(tmp_path / "run"))
    assert done.code == 0, here.told()
    assert done.status == "finished:completed", done.log
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["participations"] >= 4

    here.stop_node(1)
    code, found = checked(here, link, files[0], "--nodes=2")
    assert (code, found["nodes"]["found"]) == (1, "1 online, 1 not; 2 are wanted")
    code, found = checked(here, link, "--insecure")  # a SuperLink with TLS, spoken to without
    assert found["nodes"]["state"] == "warn"


def test_flower_builds_what_is_called_fine(small, tmp_path):
    pytest.importorskip("flwr")
    from deployment import BIN, quiet

    env = {**quiet(), "FLWR_HOME": str(tmp_path / "home")}
    built = subprocess.run([BIN / "flwr", "build"], cwd=small, env=env, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr
    assert len(list(small.glob("*.fab"))) == 1
