"""`horae serve`: what it refuses without a server, and, where Starlette is, what it answers and how it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from horae.cli import app
from horae.errors import HoraeError

sys.path.append(str(Path(__file__).parents[1] / "explain"))  # the log written by hand
from madelog import write

STATIC = Path(sys.modules["horae"].__file__).parent / "server" / "static"


@pytest.fixture
def runs(tmp_path):
    write(tmp_path / "done")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "events.jsonl").write_text("x\n")
    return tmp_path


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", ""])
def test_other_hosts_are_refused_in_one_line(host, runs):
    result = CliRunner().invoke(app, ["serve", str(runs), "--host", host])
    assert isinstance(result.exception, HoraeError)
    assert str(result.exception).startswith(f"--host should be 127.0.0.1, got {host!r}; from another machine")
    assert "\n" not in str(result.exception)


def test_a_port_that_is_none(runs):
    result = CliRunner().invoke(app, ["serve", str(runs), "--port", "70000"])
    assert str(result.exception) == "--port should be between 0 and 65535, got 70000"


def test_without_the_extra_it_says_what_to_install(runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "horae.server.serving", raising=False)
    result = CliRunner().invoke(app, ["serve", str(runs)])
    assert str(result.exception) == 'horae serve needs Starlette and uvicorn: pip install "horae[serve]"'


def test_the_page_fetches_nothing_from_elsewhere_and_sets_no_markup():
    for file in STATIC.iterdir():
        words = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//cdn|innerHTML|insertAdjacentHTML|document\.write|\beval\(", words), file.name
        assert not re.search(r"<script(?![^>]* src=)| on\w+=|<style| style=", words), file.name
        assert len(words.splitlines()) <= 250


@pytest.fixture
def client(runs):
    testing = pytest.importorskip("starlette.testclient", reason="Starlette and httpx are not installed")
    from horae.server.app import make_app
    from horae.server.watch import Watch

    return testing.TestClient(make_app(Watch(runs), 8321), base_url="http://127.0.0.1:8321")


def test_the_addresses(client):
    assert {run["id"]: run["state"] for run in client.get("/api/runs").json()["runs"]} == {
        "done": "finished", "torn": "broken",
    }  # fmt: skip
    assert client.get("/api/run", params={"run": "done"}).json()["state"] == "finished"
    assert client.get("/api/compare?run=done&run=torn").json()["runs"][1]["state"] == "broken"
    told = client.get("/api/explain", params={"run": "done", "client": "2"}).json()
    assert told["words"][0].startswith("Client 2, of planted group 0, is at home in 0.0")


def test_every_file_of_the_page_and_no_other(client):
    for file in STATIC.iterdir():
        answer = client.get("/" if file.name == "index.html" else f"/{file.name}")
        assert answer.content == file.read_bytes() and "content-security-policy" in answer.headers
    for address in ("/app.py", "/../app.py", "/%2e%2e/app.py", "/static/page.js", "/etc/passwd"):
        assert client.get(address).status_code == 404


def test_refusals_are_one_line(client):
    for run in ("../done", "/etc", "nowhere", ""):
        answer = client.get("/api/run", params={"run": run})
        assert answer.status_code == 404 and answer.json()["error"].startswith("there is no run")
    answer = client.get("/api/explain", params={"run": "done", "client": "six"})
    assert (answer.status_code, answer.json()["error"]) == (404, "client should be a client's id, got 'six'")
    assert client.get("/api/explain", params={"run": "torn"}).status_code == 422
    assert client.post("/api/runs").status_code == 405
    assert client.get("/api/runs", headers={"host": "evil.example"}).status_code == 421


def test_the_stream_sends_a_view_and_another_when_something_changed(runs):
    asyncio = pytest.importorskip("asyncio")
    pytest.importorskip("starlette", reason="Starlette is not installed")
    from horae.server.app import stream
    from horae.server.watch import Watch

    async def three():
        ends = [False]
        told = stream(Watch(runs), [], lambda: ends[0])
        first = await anext(told)
        write(runs / "second")
        second = await anext(told)
        ends[0] = True
        return first, second, [more async for more in told]

    first, second, rest = asyncio.run(three())
    assert first.startswith("event: view\ndata: {") and first.endswith("}\n\n") and rest == []
    found = [{run["id"] for run in json.loads(text.split("data: ", 1)[1])["runs"]} for text in (first, second)]
    assert found == [{"done", "torn"}, {"done", "torn", "second"}]


@pytest.mark.parametrize("streaming", [False, True])
def test_it_prints_its_address_serves_and_ends_with_ctrl_c(runs, streaming):
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    before = sorted(runs.rglob("*"))
    command = [sys.executable, "-m", "horae", "serve", str(runs), "--port", "0"]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    live = None
    try:
        url = server.stdout.readline().split()[0]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        assert b"<title>horae</title>" in urllib.request.urlopen(url, timeout=20).read()
        with pytest.raises(urllib.error.HTTPError, match="421"):
            urllib.request.urlopen(urllib.request.Request(url, headers={"Host": "evil.example"}), timeout=20)
        if streaming:
            live = urllib.request.urlopen(f"{url}api/live?run=done", timeout=20)
            assert live.readline() == b"event: view\n"
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
        assert server.stderr.read() == ""
    finally:
        if live:
            live.close()
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        server.stdout.close()
        server.stderr.close()
    assert sorted(runs.rglob("*")) == before


def test_a_port_that_is_taken_is_one_line(runs):
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["serve", str(runs), "--port", str(port)])
    assert str(result.exception).startswith(f"cannot listen on port {port}: address already in use; choose another")
