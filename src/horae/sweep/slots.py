"""Slots: places where one run at a time is carried out, and the hosts they may be on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from horae.errors import ConfigError, brief, did_you_mean, require

MOST = 1024
_SLOT = re.compile(r"(?:(?P<host>[^:]+):)?(?P<device>cpu|cuda)(?::(?P<number>[0-9]{1,4}))?")
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Host:
    """Another machine: its address for ssh, a directory there, the command that is horae there, where data sets lie."""

    ssh: str
    directory: str
    horae: str = "horae"
    data_root: str = ""


@dataclass(frozen=True)
class Slot:
    """host: its name in the file; empty is this machine. device: as `training.device`. number: of the GPU, or empty."""

    host: str
    device: str
    number: str

    @property
    def name(self) -> str:
        """As it is written in the file."""
        return ":".join(part for part in (self.host, self.device, self.number) if part)

    def suits(self, begun: Slot | None) -> bool:
        """True for a run that was begun there: its files are on that host, and its bits are of that device."""
        return begun is None or (begun.host, begun.device) == (self.host, self.device)

    def environment(self, threads: int, given: Mapping[str, str] = os.environ) -> dict[str, str]:
        """What a run's process is told beside its experiment: as many threads for BLAS as for torch, and its GPU."""
        found = dict.fromkeys(_THREADS, str(threads))
        if self.number:
            seen = [] if self.host else [part.strip() for part in given.get(_VISIBLE, "").split(",") if part.strip()]
            found[_VISIBLE] = seen[int(self.number)] if int(self.number) < len(seen) else self.number
        return found


def slot(words: str, field: str = "slots") -> Slot:
    """One slot. Errors: ConfigError.

    >>> slot("lab:cuda:1")
    Slot(host='lab', device='cuda', number='1')
    """
    match = _SLOT.fullmatch(words) if isinstance(words, str) else None
    fine = match is not None and not (match["device"] == "cpu" and match["number"])
    require(fine, field, "look like cpu, cuda:0, HOST:cpu or HOST:cuda:0", words)
    assert match is not None
    return Slot(match["host"] or "", match["device"], match["number"] or "")


def slots(words: list[str], hosts: Mapping[str, object]) -> list[Slot]:
    """All slots of a file. Errors: ConfigError, also for a host that is not described."""
    require(1 <= len(words) <= MOST, "slots", f"be 1 to {MOST:,} of them", len(words))
    found = [slot(word) for word in words]
    for one in found:
        if one.host and one.host not in hosts:
            known = did_you_mean(one.host, hosts) if hosts else f'add [hosts.{one.host}] ssh = "...", directory = "..."'
            raise ConfigError(f"slots: there is no host {brief(one.host, 40)}; {known}")
    return found
