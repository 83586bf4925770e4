"""A member that is woken for its messages and put away after them, with what lasts and what must not.

NAME.key      its long-term key, whom it knows by which key, and all rows of who took part: as long as the site wants
NAME.attempt  the secrets of one attempt: until it opened its shares, refused, or was told that the attempt is over
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from horae.census.auditor import Auditor
from horae.census.client import Member
from horae.census.keys import Identity, Source
from horae.census.session import Refused
from horae.census.terms import Terms
from horae.census.vault import AGE_S, ATTEMPT, Vault
from horae.errors import RunError, WireError
from horae.pure.packing import PackingError, pack, unpack
from horae.types import Ints

KEY = ".key"


class Kept:
    """One client's member in a vault.

    The first key that is heard of a client is remembered as its own: another one later is not believed. A new run
    begins a new log, but whom earlier totals would tell apart is not forgotten.
    """

    def __init__(
        self, vault: Vault, client: int, run: bytes, terms: Terms, counts: Ints, source: Source = os.urandom
    ) -> None:
        self._vault, self._run, self._name = vault, run, f"member-{client}"
        lasting = _read(vault, self._name + KEY)
        self._identity = Identity((lambda _: lasting["secret"]) if lasting else source)
        self.directory: dict[int, bytes] = dict(lasting.get("directory", ()))
        self.directory[client] = self._identity.public
        auditor = Auditor()
        for row in lasting.get("known", ()):
            auditor.opened(frozenset(row))
        if same := lasting.get("run") == run:
            for row in lasting["rows"]:
                auditor.log.append(frozenset(row))
        self.member = Member(client, self._identity, terms, run, self.directory, counts, auditor, source)
        if same:
            self.member.thaw({"latest": lasting["latest"], "stage": "idle"})
            self._resume(lasting["latest"])

    @property
    def public(self) -> bytes:
        """The public half of its long-term key."""
        return self._identity.public

    def hear(self, letters: Sequence[bytes], directory: Mapping[int, bytes]) -> list[bytes]:
        """What it sends in reply; it is put away before anything is sent. directory: others' keys, as it is told."""
        self.directory |= {client: key for client, key in directory.items() if client not in self.directory}
        said = [reply for letter in letters for reply in self.member.receive(letter)]
        self._put_away()
        return said

    def _resume(self, latest: tuple[int, int]) -> None:
        kept = _read(self._vault, self._name + ATTEMPT)
        if not kept or kept["latest"] != latest or not 0 <= time.time() - kept["at_s"] <= AGE_S:
            return
        try:
            self.member.thaw(kept)
        except (Refused, WireError):  # its neighbours are others now: it has fallen out
            self.member.thaw({"latest": latest, "stage": "idle"})

    def _put_away(self) -> None:
        member, auditor = self.member, self.member.auditor
        kept = member.freeze()
        lasting = {
            "secret": self._identity.secret(), "directory": self.directory, "run": self._run,
            "known": [sorted(row) for row in auditor.known], "rows": [sorted(row) for row in auditor.log.rows],
            "latest": kept["latest"],
        }  # fmt: skip
        self._vault.write(self._name + KEY, pack(_plain(lasting)))
        if "session" in kept:
            self._vault.write(self._name + ATTEMPT, pack(_plain({**kept, "at_s": time.time()})))
        else:
            self._vault.drop(self._name + ATTEMPT)


def _read(vault: Vault, name: str) -> dict[str, Any]:
    data = vault.read(name)
    try:
        found = _bytes(unpack(data)) if data else {}
    except PackingError:
        found = None
    if not isinstance(found, dict):
        raise RunError(f"{name}, a census's member, is damaged; remove it, and it is a new member")
    return found


def _plain(value: Any) -> Any:
    """Bytes as arrays, sets as what they hold: what can be packed."""
    if isinstance(value, bytes):
        return np.frombuffer(value, np.uint8)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map(_plain, value))
    return {"row": sorted(value)} if isinstance(value, frozenset) else value


def _bytes(value: Any) -> Any:
    """The same again."""
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return value.tobytes()
    if isinstance(value, dict):
        return frozenset(value["row"]) if set(value) == {"row"} else {key: _bytes(v) for key, v in value.items()}
    return type(value)(map(_bytes, value)) if isinstance(value, tuple | list) else value
