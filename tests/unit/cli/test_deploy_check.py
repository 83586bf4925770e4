"""`horae deploy check`: every fault is found, named with its remedy, and nothing else is called one; without Flower."""

import datetime as dt
import json
import os
import socket
import ssl
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from horae.cli import app
from horae.errors import ConfigError
from horae.flower import check, check_app, check_keys, check_net
from horae.flower.making import make_app

sys.path.insert(0, str(Path(__file__).parents[2] / "flower"))

from credentials import node_keys, server_certificates


def states(findings):
    return {one.check: one.state for one in findings}


def only(findings, name):
    (found,) = [one for one in findings if one.check == name]
    return found


@pytest.fixture
def made(tmp_path):
    make_app(tmp_path / "app")
    return tmp_path / "app"


@pytest.fixture
def keys(tmp_path):
    server_certificates(tmp_path, names=("fl.example.org", "localhost", "127.0.0.1"), days=365)
    return tmp_path


@pytest.fixture
def listening():
    """Starts servers that accept and close; with a certificate they speak TLS."""
    doors = []

    def begin(directory=None):
        door = socket.create_server(("127.0.0.1", 0))
        doors.append(door)
        context = None
        if directory is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(directory / "server.crt", directory / "server.key")

        def serve():
            while True:
                try:
                    line, _ = door.accept()
                except OSError:
                    return
                line.settimeout(5)
                try:
                    (context.wrap_socket(line, server_side=True) if context else line).close()
                except OSError:
                    line.close()

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{door.getsockname()[1]}"

    yield begin
    for door in doors:
        door.shutdown(socket.SHUT_RDWR)
        door.close()


# ---------------------------------------------------------------- versions and surroundings


@pytest.mark.parametrize(
    ("version", "state"),
    [(None, "wrong"), ("1.39.9", "wrong"), ("1.40.0", "ok"), ("1.41.0", "ok"), ("1.42.0", "ok"), ("1.43.0", "warn"),
     ("2.0.0", "wrong"), ("1.42.0.dev20261001", "ok")],
)  # fmt: skip
def test_versions_of_flower(version, state):
    assert check.flower(version).state == state


def test_surroundings_name_what_to_export():
    quiet = {name: value for name, (value, _) in check.QUIET.items()}
    assert check.surroundings(quiet).state == "ok"
    found = check.surroundings({**quiet, "FLWR_TELEMETRY_ENABLED": "1"})
    assert (found.state, found.remedy) == ("warn", "export FLWR_TELEMETRY_ENABLED=0")


def test_a_state_directory_must_be_writable(tmp_path):
    assert check.state(tmp_path).state == "ok"
    assert check.state(tmp_path / "not" / "yet").found.endswith("can be made")
    assert not (tmp_path / "not").exists()
    (tmp_path / "file").write_text("")
    assert check.state(tmp_path / "file").state == "wrong"


# ---------------------------------------------------------------- the app


def test_a_new_app_is_fine(made):
    assert set(states(check_app.findings(made)).values()) == {"ok"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('version = "1.0.0"', "", "no version in [project]"),
        ('publisher = "local"', "", "no publisher in [tool.flwr.app]"),
        ('{ file = "LICENSE" }', '"Apache-2.0"', 'project.license should be { file = "LICENSE" }'),
        ('"flwr>=1.40.0"', '"flwr==1.41.0"', 'project.dependencies should have "flwr>=..."'),
        ("flwr-version-target", "target", "no flwr-version-target"),
        ('name = "app"', 'name = "my_app"', "'my_app' is no name for an app"),
        ("[tool.flwr.app.components]", "[other]", "no [tool.flwr.app.components]"),
    ],
)
def test_a_field_that_flower_misses(made, old, new, words):
    text = (made / "pyproject.toml").read_text()
    assert text.count(old) == 1
    (made / "pyproject.toml").write_text(text.replace(old, new))
    found = only(check_app.findings(made), "pyproject")
    assert found.state == "wrong"
    assert words in found.found


def test_files_that_are_not_there_or_cannot_be_read(made, tmp_path):
    (made / "LICENSE").unlink()
    assert "there is no file LICENSE" in only(check_app.findings(made), "pyproject").found
    (made / "app" / "client.py").write_text("def broken(:")
    assert "client.py cannot be read" in only(check_app.findings(made), "server and client").found
    (made / "app" / "client.py").unlink()
    assert "clientapp" in only(check_app.findings(made), "server and client").found
    (made / "pyproject.toml").write_text("[project\n")
    assert states(check_app.findings(made)) == {"pyproject": "wrong"}
    assert states(check_app.findings(tmp_path / "nowhere")) == {"app": "wrong"}


def test_an_experiment_that_cannot_be_carried_out(made):
    file = made / "experiment.toml"
    file.write_text(file.read_text().replace('name = "auxo"', 'name = "auxoo"'))
    found = only(check_app.findings(made), "experiment")
    assert (found.state, "did you mean 'auxo'?" in found.found) == ("wrong", True)
    file.unlink()
    assert only(check_app.findings(made), "experiment").state == "wrong"


def test_a_bundle_too_large_and_files_that_stay_behind(made):
    assert "8 files" in only(check_app.findings(made), "bundle").found
    (made / "data.npz").write_bytes(b"x")
    found = only(check_app.findings(made), "bundle")
    assert (found.state, found.found.endswith("not sent: data.npz")) == ("warn", True)
    (made / "big.json").write_bytes(os.urandom(11 * 2**20))
    found = only(check_app.findings(made), "bundle")
    assert (found.state, found.found) == ("wrong", "11.0 MB, largest big.json")
    (made / "runs").mkdir()
    (made / "big.json").rename(made / "runs" / "big.json")
    assert only(check_app.findings(made), "bundle").state == "warn"


# ---------------------------------------------------------------- certificates and keys


def certificates(keys, hosts=("fl.example.org",), ca="ca.crt"):
    return list(check_keys.certificates(keys / ca, keys / "server.crt", keys / "server.key", hosts))


def test_good_certificates(keys):
    assert states(certificates(keys)) == dict.fromkeys(
        ("cert", "cert and ca", "cert for fl.example.org", "cert for 127.0.0.1", "key and cert", "key"), "ok"
    ) | {"ca": "warn"}  # the test authority lasts two days


def test_hosts_that_a_certificate_does_not_cover(keys):
    found = only(certificates(keys, ("other.example.org",)), "cert for other.example.org")
    assert (found.state, found.found) == ("wrong", "it covers only fl.example.org, localhost, 127.0.0.1")
    server_certificates(keys, names=("*.example.org",), days=365)
    found = states(certificates(keys, ("a.example.org", "a.b.example.org", "10.0.0.1")))
    assert found["cert for a.example.org"] == "ok"
    assert {found["cert for a.b.example.org"], found["cert for 10.0.0.1"], found["cert for 127.0.0.1"]} == {"wrong"}


def test_dates(keys):
    certificate = x509.load_pem_x509_certificate((keys / "server.crt").read_bytes())
    now = dt.datetime.now(dt.UTC)
    days = {-2: "wrong", 0: "ok", 340: "warn", 400: "wrong"}
    assert {n: check_keys.dates("cert", certificate, now + dt.timedelta(days=n)).state for n in days} == days
    server_certificates(keys, days=-1)
    assert only(certificates(keys), "cert").found.startswith("expired on ")


def test_another_authority_and_another_key(keys, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    server_certificates(other)
    found = check_keys.certificates(other / "ca.crt", keys / "server.crt", other / "server.key", ())
    assert {name: state for name, state in states(found).items() if state == "wrong"} == {
        "cert and ca": "wrong",
        "key and cert": "wrong",
    }


def test_keys_are_for_their_owner_alone(keys):
    (keys / "server.key").chmod(0o644)
    assert only(certificates(keys), "key").remedy == f"chmod 600 {keys / 'server.key'}"
    public = node_keys(keys / "node.key")
    assert check_keys.node_key(keys / "node.key").state == "ok"
    (keys / "node.key").chmod(0o640)
    assert check_keys.node_key(keys / "node.key").state == "wrong"
    assert "no OpenSSH key" in check_keys.node_key(public).found
    assert "No such file" in check_keys.node_key(keys / "none").found


def test_files_that_are_no_certificates(keys):
    (keys / "server.crt").write_text("nothing")
    (keys / "server.key").write_text("nothing")
    found = certificates(keys, ca="none")
    assert states(found) == dict.fromkeys(("ca", "cert", "key"), "wrong")
    assert next(iter(check_keys.certificates(None, None, None, ["host"]))).state == "warn"


# ---------------------------------------------------------------- addresses and nodes


def nodes(*statuses):
    return lambda *_: [{"node-id": str(i), "status": status} for i, status in enumerate(statuses)]


def test_a_free_port_is_fine_for_whoever_starts_a_superlink(listening):
    (port,) = free_ports(1)
    here = f"127.0.0.1:{port}"
    assert states(check_net.superlink(here, None, True, True, 0)) == {f"superlink {here}": "ok"}
    assert states(check_net.superlink(here, None, True, False, 0)) == {f"superlink {here}": "wrong"}
    assert states(check_net.superlink(here, None, True, True, 3)) == {f"superlink {here}": "wrong"}  # nodes are wanted


def free_ports(n):
    from deployment import free_ports as found

    return found(n)


def test_tls_is_tried_as_a_node_would(listening, keys, tmp_path, monkeypatch):
    monkeypatch.setattr(check_net, "listed", nodes("online", "online", "offline"))
    here = listening(keys)
    assert states(check_net.superlink(here, keys / "ca.crt", False, False, 2)) == {
        f"superlink {here}": "ok",
        "nodes": "ok",
    }
    other = tmp_path / "other"
    other.mkdir()
    server_certificates(other)
    (found,) = check_net.superlink(here, other / "ca.crt", False, False, 0)
    assert (found.state, found.remedy) == ("wrong", "give its authority by --ca")
    plain = listening()
    (found,) = check_net.superlink(plain, keys / "ca.crt", False, False, 0)
    assert (found.state, "--insecure" in found.remedy) == ("wrong", True)


@pytest.mark.parametrize(
    ("statuses", "least", "state", "words"),
    [
        (("online", "online"), 0, "ok", "2 online"),
        (("online", "offline"), 2, "wrong", "1 online, 1 not; 2 are wanted"),
        ((), 0, "warn", "0 online"),
    ],
)
def test_nodes_are_counted(monkeypatch, statuses, least, state, words):
    monkeypatch.setattr(check_net, "listed", nodes(*statuses))
    (found,) = check_net.nodes("h:1", None, True, least)
    assert (found.state, found.found) == (state, words)


def test_nodes_that_are_asked_for_their_horae(monkeypatch):
    monkeypatch.setattr(check_net, "listed", nodes("online", "online", "offline"))

    def told(answers):
        return list(check_net.nodes("h:1", None, True, 0, lambda *_: answers))[1]

    assert told({"0": {"horae": "0.1.0"}, "1": {"horae": "0.1.0"}}).found == "0.1.0 on all 2"
    other = told({"0": {"horae": "0.1.0"}, "1": {"horae": "0.2.0"}})
    assert (other.state, other.found) == ("wrong", "not 0.1.0, as elsewhere: 1: 0.2.0")
    served = told({"0": {"horae": "0.1.0", "server": "0.2.0"}, "1": {"horae": "0.2.0", "server": "0.2.0"}})
    assert served.found == "not 0.2.0, as elsewhere: 0: 0.1.0"
    lacking = told({"0": {"horae": "0.1.0"}, "1": {"why": "No module named 'horae'"}})
    assert (lacking.state, lacking.found) == ("wrong", "1 of 2 cannot take part: 1: No module named 'horae'")
    assert told({"0": {"horae": "0.1.0"}}).found == "1 of 2 did not answer: 1"


def test_a_list_that_cannot_be_had_is_no_fault(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = check_net.nodes("h:1", None, True, 0)
    assert (found.state, found.found) == ("warn", "cannot be listed: there is no flwr command")
    (tmp_path / "flwr").write_text('#!/bin/sh\necho \'{"success": false, "error-message": "no"}\'\n')
    (tmp_path / "flwr").chmod(0o755)
    (found,) = check_net.nodes("h:1", None, True, 0)
    assert found.found == "cannot be listed: no"


@pytest.mark.parametrize("address", ["host", "host:", ":9", "host:x", "host:70000", "http://host:9"])
def test_addresses_are_host_and_port(address):
    with pytest.raises(ConfigError, match="--superlink should be host:port"):
        check_net.parted(address)
    assert check_net.parted("[::1]:9000") == ("::1", 9000)


# ---------------------------------------------------------------- the command


def test_the_command_tells_and_fails(made, monkeypatch):
    monkeypatch.setattr(check, "installed", lambda _: "1.41.0")
    for name, (value, _) in check.QUIET.items():
        monkeypatch.setenv(name, value)
    words = ["deploy", "check", str(made), "--json"]
    result = CliRunner().invoke(app, words, standalone_mode=False)
    assert result.return_value == 0, result.output
    told = json.loads(result.stdout)
    assert told["ready"] is True
    assert {one["state"] for one in told["checks"]} == {"ok"}
    (made / "LICENSE").unlink()
    result = CliRunner().invoke(app, words[:-1], standalone_mode=False, env={"COLUMNS": "200"})
    assert result.return_value == 1
    assert "there is no file LICENSE" in result.stdout
