"""What a masked payload weighs, and how fast it is packed: python benchmarks/codec.py (seconds, one thread).

Sizes are lengths of real bytes, headers included, over four bytes for every weight of the dense model. Masks are
random, which is the worst case; weights are Gaussian. Packing takes turns with a plain copy of as many bytes and with
zlib's CRC32 of them, which every byte passes once; ratios are taken inside each turn.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file

from benchmarks.train.machine import machine
from horae.channels import Float16, Int8
from horae.pure.codec import mask_nbytes, pack, unpack, version_of
from horae.types import Channel

SIZES = (17_000, 1_664_970)
SPARSITIES = (0.0, 0.3, 0.5, 0.7, 0.9)
WAYS: dict[str, tuple[bool, tuple[Channel, ...]]] = {
    "mask + fp32": (True, ()), "fp32": (False, ()), "mask + fp16": (True, (Float16(),)), "fp16": (False, (Float16(),)),
    "int8": (False, (Int8(),)),
}  # fmt: skip
RESULTS = Path(__file__).parent / "results"
TURNS = 15


def living(n: int, sparsity: float) -> np.ndarray:
    """A random mask with exactly n - ⌊sparsity n⌋ living weights."""
    mask = np.ones(n, bool)
    mask[np.random.default_rng(0).permutation(n)[: int(sparsity * n)]] = False
    return mask


def weights(n: int) -> np.ndarray:
    """A Gaussian model."""
    return 0.05 * np.random.default_rng(1).standard_normal(n, np.float32)


def sizes(n: int, sparsity: float) -> dict[str, float]:
    """Bytes over dense float32 by way of sending."""
    mask, full, found = living(n, sparsity), weights(n), {}
    version = version_of(mask)
    for name, (rides, channels) in WAYS.items():
        payload: Any = full[mask]
        for channel in channels:
            payload = channel.encode(payload, np.random.default_rng(2))
        found[name] = len(pack(payload, n, version, mask if rides else None)) / (4 * n)
    found["zlib of zero-filled"] = len(zlib.compress(np.where(mask, full, np.float32(0)).tobytes(), 6)) / (4 * n)
    return found


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def speed(n: int, sparsity: float, rides: bool) -> dict[str, Any]:
    """MB of values a second, packed and unpacked, and the share of a copy's speed: (median, least, most)."""
    mask, full = living(n, sparsity), weights(n)
    version, values = version_of(mask), full[mask]
    data = pack(values, n, version, mask if rides else None)
    raw = np.frombuffer(data, np.uint8)
    room = np.empty_like(raw)
    works: dict[str, Callable[[], object]] = {
        "copy": lambda: np.copyto(room, raw), "crc32": lambda: zlib.crc32(raw),
        "pack": lambda: pack(values, n, version, mask if rides else None),
        "unpack": lambda: unpack(data, {version: mask}, n),
    }  # fmt: skip
    turns = [{name: seconds(work) for name, work in works.items()} for _ in range(TURNS + 2)][2:]
    found: dict[str, Any] = {"weights": n, "sparsity": sparsity, "mask rides": rides, "nbytes": len(data)}
    for name in works:
        found[name] = len(data) / 1e6 / statistics.median(turn[name] for turn in turns)
        shares = [turn["copy"] / turn[name] for turn in turns]
        found[f"{name} of copy"] = [statistics.median(shares), min(shares), max(shares)]
    return found


def pages(found: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    about, lines = found["machine"], ["Made by `python benchmarks/codec.py`.", ""]
    lines.append(
        f"{about['cpu']}, {about['cores']} cores; python {about['python']}, numpy {about['numpy']}; {about['date']}."
    )
    for n, rows in found["sizes"].items():
        names = list(next(iter(rows.values())))
        lines += ["", f"**Bytes over the dense model's, {int(n):,} weights, random masks**", ""]
        lines += ["| sparsity | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        lines += [f"| {s} | " + " | ".join(f"{row[name]:.3f}" for name in names) + " |" for s, row in rows.items()]
    lines += ["", "**Bits a weight of a mask that rides along**: 1, or gaps where these are less", ""]
    lines += ["| sparsity | " + " | ".join(found["masks"]) + " |", "|---" * (len(found["masks"]) + 1) + "|"]
    lines += ["| bits | " + " | ".join(f"{bits:.2f}" for bits in found["masks"].values()) + " |", ""]
    lines += [f"**MB a second on one thread, medians of {TURNS} turns; share of a copy's speed in the same turn**", ""]
    lines += [
        "| weights | sparsity | mask | copy | CRC32 | pack | unpack | pack / copy | unpack / copy |",
        "|---" * 9 + "|",
    ]
    for row in found["speed"]:
        shares = ("{:.2f} ({:.2f} - {:.2f})".format(*row[f"{name} of copy"]) for name in ("pack", "unpack"))
        each = (f"{row[name]:,.0f}" for name in ("copy", "crc32", "pack", "unpack"))
        words = (f"{row['weights']:,}", str(row["sparsity"]), "rides along" if row["mask rides"] else "known")
        lines.append("| " + " | ".join((*words, *each, *shares)) + " |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    assert not arguments
    found: dict[str, Any] = {
        "machine": machine(),
        "sizes": {str(n): {str(s): sizes(n, s) for s in SPARSITIES} for n in SIZES},
        "masks": {str(s): 8 * mask_nbytes(living(SIZES[1], s)) / SIZES[1] for s in (0.8, 0.87, 0.9, 0.95, 0.99)},
        "speed": [speed(n, s, r) for n in SIZES for s, r in ((0.0, False), (0.7, False), (0.7, True), (0.95, True))],
    }
    lines = pages(found)
    print("\n".join(lines))
    (RESULTS / "codec.md").write_text("\n".join(lines) + "\n")
    (RESULTS / "codec.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
