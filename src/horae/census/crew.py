"""Members in processes of their own: `python -m horae.census.crew`, started by `processes`, which ends it.

The first process reads the plan from its standard input, forks one process for each share of the members, and waits.
Its input ends when the parent does, however that ends: then it kills its process group, itself last of all.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import struct
import sys
import traceback
from typing import Any, BinaryIO, NoReturn

from horae.census import frames
from horae.census.client import Member
from horae.census.frames import Frames, framed
from horae.census.keys import Identity
from horae.census.messages import Kind, read
from horae.census.terms import Terms
from horae.errors import WireError

CHUNK = 2**18


class Post:
    """One member at its end of its connection. `fault` is where it drops out: epoch, kind of message, silently."""

    def __init__(self, plan: dict[str, Any], client: int, counts: list[int], fault: list[Any] | None) -> None:
        self.client, self.fell = client, False
        self._plan, self._counts, self._fault = plan, counts, fault
        self._token = bytes.fromhex(plan["token"])
        self._identity, self._frames = Identity(), Frames(plan["most"])
        self._challenge: bytes | None = None
        self._member: Member | None = None
        self.line = socket.create_connection(("127.0.0.1", plan["port"]))
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def hear(self) -> bool:
        """Whether it stays connected after what has arrived. Errors: OSError, WireError: that is no operator."""
        data = self.line.recv(CHUNK)
        for frame in self._frames.feed(data):
            if self._challenge is None:
                self._challenge = frame
                self._say(frames.write_greeting(self._token, frame, self.client, self._identity.public))
            elif self._member is None:
                self._member = self._begin(frames.read_directory(self._token, self._challenge, frame))
            elif not self._drops(frame):
                for reply in self._member.receive(frame):
                    self._say(reply)
            elif self._fault and not self._fault[2]:
                return False
        return bool(data)

    def _begin(self, directory: dict[int, bytes]) -> Member:
        terms, run = Terms(**self._plan["terms"]), bytes.fromhex(self._plan["run"])
        return Member(self.client, self._identity, terms, run, directory, self._counts)

    def _drops(self, frame: bytes) -> bool:
        """Whether it has dropped out, now or before."""
        if self._fault is not None and not self.fell:
            message = read(frame)
            self.fell = message.epoch == self._fault[0] and message.kind is Kind[self._fault[1]]
        return self.fell

    def _say(self, data: bytes) -> None:
        self.line.sendall(framed(data))


def serve(plan: dict[str, Any], share: list[Any]) -> None:
    """Move bytes for these members until every connection is cut; one that drops out alone takes the process along."""
    ready = selectors.DefaultSelector()
    for post in [Post(plan, *row) for row in share]:
        ready.register(post.line, selectors.EVENT_READ, post)
    while ready.get_map():
        for key, _ in ready.select():
            post = key.data
            try:
                if post.hear():
                    continue
            except (OSError, WireError):
                pass
            if post.fell and len(share) == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            ready.unregister(post.line)
            post.line.close()


def main() -> NoReturn:
    """Fork the processes, and outlive the parent by as little as can be."""
    if os.getpgrp() != os.getpid():
        sys.exit("horae.census.crew is started by `horae census`")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    size = struct.unpack("<I", _exactly(sys.stdin.buffer, 4))[0]
    plan = json.loads(_exactly(sys.stdin.buffer, size))
    for share in plan.pop("shares"):
        if os.fork() == 0:
            try:
                serve(plan, share)
            except OSError:  # the operator is gone already
                pass
            except Exception:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(0)
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)
    raise SystemExit


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise SystemExit
    return data


if __name__ == "__main__":
    main()
