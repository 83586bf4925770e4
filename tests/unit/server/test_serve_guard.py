"""Who is answered: this machine by its own name, to read; and with headers that let no other page in."""

import asyncio

import pytest

from horae.server.guard import HEADERS, guarded


async def inner(scope, receive, send):
    """An application that answers anybody."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Cache-Control", b"public")]})
    await send({"type": "http.response.body", "body": b"here"})


def ask(headers, method="GET", query=b"", port=8321):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "headers": headers, "raw_path": b"/", "query_string": query}
    asyncio.run(guarded(inner, port)(scope, None, send))
    head, body = sent
    return head["status"], dict(head["headers"]), body["body"]


HOST = (b"host", b"127.0.0.1:8321")


@pytest.mark.parametrize("host", [b"127.0.0.1:8321", b"localhost:8321", b"LocalHost:8321"])
def test_this_machine_is_answered(host):
    status, headers, body = ask([(b"host", host)])
    assert (status, body) == (200, b"here")
    assert headers == {name.encode(): value.encode() for name, value in HEADERS.items()}
    assert "default-src 'none'" in HEADERS["content-security-policy"]
    assert not any(name.startswith(b"access-control") for name in headers)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"evil.example:8321")],
        [(b"host", b"127.0.0.1")],
        [(b"host", b"127.0.0.1:8322")],
        [(b"host", b"127.0.0.1:8321.evil.example")],
        [(b"host", b"evil@127.0.0.1:8321")],
        [HOST, (b"host", b"evil.example")],
    ],
)
def test_another_name_is_not(headers):
    status, _, body = ask(headers)
    assert status == 421 and body.startswith(b"horae serve: ") and body.count(b"\n") == 1


def test_what_else_is_not_answered():
    assert ask([HOST], method="POST")[0] == 405
    assert ask([HOST], method="OPTIONS")[0] == 405  # so that no preflight succeeds
    assert ask([HOST], query=b"x" * 3000)[0] == 414
    fetched = [HOST, (b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"no-cors")]
    assert ask(fetched)[0] == 403
    followed = [HOST, (b"sec-fetch-site", b"cross-site"), (b"sec-fetch-mode", b"navigate")]
    assert ask(followed)[0] == 200  # a link to here
    own = [HOST, (b"sec-fetch-site", b"same-origin"), (b"sec-fetch-mode", b"cors")]
    assert ask(own)[0] == 200


def test_nothing_but_http_is_spoken():
    sent = []
    asyncio.run(guarded(inner, 1)({"type": "websocket", "headers": [HOST]}, None, sent.append))
    assert sent == []
