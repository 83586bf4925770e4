"""A client's affinity record that lasts: on its own disk, over restarts and over runs; and the mod that keeps it.

Losing a record means that the client explores again, nothing worse; so whatever is wrong with a file is a warning.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from horae.cohorts.records import fresh, prefixes, recall
from horae.errors import ConfigError, HoraeError, RunError, require
from horae.files import write_whole
from horae.flower.affinity_bytes import blank_record, read_messages, read_record, record_bytes
from horae.types import Clustering, Feedback, Records

LOGGER = "flwr.horae"  # where Flower's processes print what they log
FEEDBACK, REQUEST = "horae.feedback", "horae.request"  # the ConfigRecords of a train message and of its reply
MOST = 4096  # bytes of a request that the server reads
MOST_TOLD = 1 << 20  # bytes of messages that a client reads
log = logging.getLogger(LOGGER)


class Memory:
    """What one client remembers of one experiment's cohorts, written to its file with every message it reads.

    A message that was heard before, by its serial number, is not heard again.
    """

    def __init__(self, run: str, client: int, records: Records, serial: int = 0, file: Path | None = None) -> None:
        self._run, self._client = run, client
        self._records, self.serial, self._file = records, serial, file

    @classmethod
    def open(cls, state_dir: Path, run: str, client: int) -> Memory:
        """From this directory, which is made if need be; a file that is damaged or foreign is no record."""
        file = Path(state_dir) / f"affinity-{_digest(run).hex()}-{client}"
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            data = file.read_bytes() if file.exists() else b""
        except OSError as error:
            log.warning("cannot read %s (%s): this client explores again; choose another state-dir", file, error)
            data = b""
        return cls.held(data, run, client, file)

    @classmethod
    def held(cls, data: bytes, run: str, client: int, file: Path | None = None) -> Memory:
        """From what `save` gave; nothing, or bytes of another experiment or client, are no record."""
        if data:
            try:
                records, serial = read_record(data[16:])
                if data[:16] == _digest(run) and records.clients[0] == client:
                    return cls(run, client, records, serial, file)
                why = "it is another experiment's or client's"
            except HoraeError as error:
                why = str(error)
            log.warning("%s is not used: %s; this client explores again", file or "an affinity record in RAM", why)
        return cls(run, client, blank_record(client), 0, file)

    def read(self, clustering: Clustering, feedbacks: Sequence[Feedback], serial: int) -> None:
        """React to the messages in their order, then save; messages of a serial number heard before are ignored."""
        if serial <= self.serial:
            return
        for told in feedbacks:
            self._records = reacted(clustering, self._records, told)
        self.serial = serial
        self._write()

    def records(self) -> Records:
        """What the client remembers, one row."""
        return self._records

    def dump(self) -> bytes:
        """The request that rides on a reply: some 20 bytes per cohort heard of, 4 KB at most."""
        return record_bytes(self._records, self.serial, MOST)

    def save(self) -> bytes:
        """All of it, for `held`."""
        return _digest(self._run) + record_bytes(self._records, self.serial)

    @staticmethod
    def parse(data: bytes, who: str = "a client") -> Records:
        """A request at the server. Errors: RunError, which names the client."""
        return parse(data, who)[0]

    def _write(self) -> None:
        if self._file is not None:
            try:
                write_whole(self._file, self.save())
            except HoraeError as error:
                log.warning("%s; this client's affinity record does not last", error)


def parse(data: object, who: str) -> tuple[Records, int]:
    """A request at the server, and the serial number of the last message heard. Errors: RunError."""
    if not isinstance(data, bytes) or len(data) > MOST:
        got = f"{len(data)} bytes" if isinstance(data, bytes) else type(data).__name__
        raise RunError(f"{who} sent an affinity request of {got}, at most {MOST} bytes are read; it is not used")
    try:
        return read_record(data)
    except HoraeError as error:
        raise RunError(f"{who} sent an affinity request that cannot be read: {error}; it is not used") from None


def reacted(clustering: Clustering, records: Records, told: Feedback) -> Records:
    """A client's record after a message, with columns for all cohorts that the message names."""
    wide = recall(records.clients, [records], prefixes(told))
    return clustering.react(wide, fresh(wide, told))


def described(clustering: Clustering) -> str:
    """A clustering as text, so that clients react by the server's hyper-parameters."""
    from horae.clustering import CLUSTERING

    names = [name for name, kind in CLUSTERING.items() if type(clustering) is kind]
    if not names or not is_dataclass(clustering):
        return ""  # somebody's own: clients name it to affinity_mod themselves
    return json.dumps({"name": names[0], **asdict(clustering)})


def understood(text: str) -> Clustering:
    """The clustering that a text describes. Errors: ConfigError."""
    from horae.clustering import CLUSTERING

    remedy = "give affinity_mod the clustering=, or install the server's version of horae"
    try:
        table = json.loads(text)
        kind = CLUSTERING[table.pop("name")]
        made: Any = kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in table.items()})
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ConfigError(f"clustering should be one that this horae knows, got {text[:80]!r}; {remedy}") from None
    return made  # type: ignore[no-any-return]


def affinity_mod(state_dir: str | Path | None = None, clustering: Clustering | None = None) -> Callable[..., Any]:
    """A mod for any ClientApp: it keeps the client's affinity record, and the app sees nothing of that.

    state_dir: where the record lasts, one directory per client; else the node's `state-dir`; else it lies in the
    node's RAM and is lost when that ends. clustering: one of your own; horae's are described by the server.
    """
    require(state_dir is None or isinstance(state_dir, str | Path), "state_dir", "be a directory", state_dir)
    warned: list[bool] = []

    def mod(message: Any, context: Any, call_next: Callable[[Any, Any], Any]) -> Any:
        told = message.content.pop(FEEDBACK, None) if message.has_content() else None
        if told is None:
            return call_next(message, context)
        from flwr.app import ConfigRecord

        place = state_dir or context.node_config.get("state-dir")
        memory = _memory(place, told, context)
        _read(memory, told, clustering)
        if not place:
            if not warned:
                log.warning("no state-dir: this client's affinity record is lost when its SuperNode ends; start it "
                            "with --node-config 'state-dir=\"...\"'")  # fmt: skip
                warned.append(True)
            context.state["horae.affinity"] = ConfigRecord({"record": memory.save()})
        reply = call_next(message, context)
        if reply.has_content():
            reply.content[REQUEST] = ConfigRecord({"request": memory.dump()})
        return reply

    return mod


def _memory(place: Any, told: Any, context: Any) -> Memory:
    config = context.node_config
    run, client = str(told["run"]), int(config.get("client", config.get("partition-id", 0)))
    if place:
        return Memory.open(Path(str(place)), run, client)
    held = context.state.get("horae.affinity")
    return Memory.held(b"" if held is None else held["record"], run, client)


def _read(memory: Memory, told: Any, clustering: Clustering | None) -> None:
    """All messages in order; what cannot be read is not, and costs no more than a reward."""
    try:
        data = told["feedback"]
        if not data:
            return
        if len(data) > MOST_TOLD:
            raise RunError(f"{len(data)} bytes of affinity messages, at most {MOST_TOLD} are read")
        by = clustering or understood(told["clustering"])
        for serial, message in read_messages(data, int(memory.records().clients[0])):
            memory.read(by, [message], serial)
    except HoraeError as error:
        log.warning("affinity messages are not read: %s", error)


def _digest(run: str) -> bytes:
    return hashlib.sha256(run.encode()).digest()[:16]


def number(node_id: int) -> int:
    """A node's id as a client's number, which has one bit less."""
    return int(np.uint64(node_id) & np.uint64(2**63 - 1))
