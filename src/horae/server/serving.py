"""The socket, on this machine alone, and the server's end."""

from __future__ import annotations

import os
import socket
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path

import uvicorn

from horae.errors import RunError
from horae.server.app import make_app
from horae.server.watch import Watch

LOOPBACK = "127.0.0.1"


def serve(root: Path, port: int, open_browser: bool = False) -> None:
    """Serve the page about the runs in a directory until Ctrl-C. port: 0 chooses one. Errors: RunError."""
    watch = Watch(root)
    with listening(port) as listener:
        chosen = listener.getsockname()[1]
        url = f"http://{LOOPBACK}:{chosen}/"
        server: uvicorn.Server | None = None
        app = make_app(watch, chosen, lambda: server is not None and server.should_exit)
        config = uvicorn.Config(
            app, loop="asyncio", http="h11", ws="none", lifespan="off", log_level="critical", access_log=False,
            server_header=False, date_header=False, limit_concurrency=64, timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=16_384,
        )  # fmt: skip
        server = uvicorn.Server(config)
        print(f"{url} shows the runs in {root}; Ctrl-C ends it", flush=True)
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        with suppress(KeyboardInterrupt):  # uvicorn's last word after Ctrl-C
            server.run(sockets=[listener])


def listening(port: int) -> socket.socket:
    """A socket of this machine that nobody else reaches. Errors: RunError for a port that is taken."""
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise RunError(f"cannot listen on port {port}: {why}; choose another --port, or 0 for any") from None
