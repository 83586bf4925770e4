"""Who is answered, and with which headers: around any ASGI application.

A page somewhere else may make a browser send requests here, or give its own name this machine's address (DNS
rebinding): so the name that was asked for must be this machine's, and requests from other sites are refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LONGEST = 2_000  # characters of an address
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def guarded(app: App, port: int) -> App:
    """The application, for requests to this machine's own name and port only."""
    hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}
    hosts |= {b"127.0.0.1", b"localhost"} if port == 80 else set()

    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await app(scope, receive, send)
        if scope["type"] != "http":
            return None
        refusal = _refusal(scope, hosts)

        async def marked(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                kept = [(k, v) for k, v in message.get("headers", []) if k.decode().lower() not in HEADERS]
                message = {**message, "headers": [*kept, *own]}
            await send(message)

        if refusal is None:
            return await app(scope, receive, marked)
        status, why = refusal
        body = f"horae serve: {why}\n".encode()
        about = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await marked({"type": "http.response.start", "status": status, "headers": about})
        await marked({"type": "http.response.body", "body": body})

    return around


def _refusal(scope: Scope, hosts: set[bytes]) -> tuple[int, str] | None:
    """Status and words for a request that is not answered; None for one that is."""
    headers = [(name.lower(), value) for name, value in scope["headers"]]
    named = [value.lower() for name, value in headers if name == b"host"]
    if len(named) != 1 or named[0] not in hosts:
        return 421, "this page is for this machine alone: ask for 127.0.0.1 or localhost"
    if scope["method"] not in ("GET", "HEAD"):
        return 405, "nothing can be changed here"
    site = next((value for name, value in headers if name == b"sec-fetch-site"), b"none")
    mode = next((value for name, value in headers if name == b"sec-fetch-mode"), b"navigate")
    if site in (b"cross-site", b"same-site") and mode != b"navigate":
        return 403, "another site may not read this"
    if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > LONGEST:
        return 414, "the address is too long"
    return None
