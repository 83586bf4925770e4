"""`python -m horae.supervised.child SOCKET`: an aggregator's process, which imports as little as it can."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading

from horae.supervised.frames import receive, send
from horae.supervised.host import Host


def serve(number: int) -> None:
    """The process's life: answer what comes through that socket, until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the loop's to answer
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    host, loop = Host(), socket.socket(fileno=number)
    while True:
        try:
            request = receive(loop)
            send(loop, host.answer(request))
        except OSError:
            os._exit(0)


def _outlive_nobody() -> None:
    """The loop's process holds the other end of this one's input, and writes nothing."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
