"""The relay of benchmarks/flower.py counts what goes through, and its page takes ratios inside a turn."""

import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.flower_page import RIVAL, page
from benchmarks.flower_relay import Relay


def test_bytes_of_both_directions_count_by_time():
    with socket.create_server(("127.0.0.1", 0)) as server:
        relay = Relay(server.getsockname()[1])
        host, _, port = relay.address.partition(":")
        with socket.create_connection((host, int(port)), 5) as near:
            far, _ = server.accept()
            with far:
                began = time.monotonic()
                near.sendall(b"x" * 1000)
                assert len(far.recv(1000, socket.MSG_WAITALL)) == 1000
                far.sendall(b"y" * 234)
                assert len(near.recv(234, socket.MSG_WAITALL)) == 234
                end = time.monotonic() + 5
                while relay.between(began, time.monotonic()) < 1234 and time.monotonic() < end:
                    time.sleep(0.01)
                assert relay.between(began, time.monotonic()) == 1234
                assert relay.between(time.monotonic(), time.monotonic()) == 0
        relay.close()


def test_ratios_are_taken_inside_a_turn():
    def row(kind, turn, seconds):
        return {
            "mode": "quick",
            "size": "1 MB",
            "kind": kind,
            "turn": turn,
            "load": 1.0,
            "bytes": [10],
            "seconds": seconds,
        }

    rows = [row(RIVAL, 0, [2.0, 2.0, 9.0]), row(RIVAL, 1, [8.0]), row("horae", 0, [3.0]), row("horae", 1, [4.0])]
    text = page({"nodes": 4, "cores": 2, "steps": 5, "rows": rows}, [RIVAL, "horae"], ["1 MB"])
    assert "| 1 MB | horae | 2 | 3.50 (3.00 to 4.00) | 1.000 (0.500 to 1.500) | 10 (10 to 10) | 1.000" in text
