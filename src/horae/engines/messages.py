"""What the controller and its endpoints say to each other: small frozen values. Arrays go by `Ref`, or as packed bytes;
nothing here holds a proxy.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from horae.errors import one_line
from horae.types import Path, Ref


@dataclass(frozen=True)
class Recipe:
    """How an endpoint gets plan and world: `build` ("package.module:function") of `text`, done once by each process."""

    build: str
    text: str

    @property
    def key(self) -> str:
        """Its name in a process's cache."""
        return hashlib.blake2b(f"{self.build}\n{self.text}".encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Task:
    """One client's part of a round.

    plane: the data plane's address. model: {"params", "buffers"}; extras: what else this round needs ("drift",
    "target", "mask"), or None. payload: both, packed, where the plane is inline. out: the key for the update, assigned
    by the controller. effort, sent: as the round's, None is 1. which: the client's submodel, -1 for the whole model.
    dims: of the sketch, 0 for none. at_s: when the round opened.
    """

    recipe: Recipe
    plane: str
    model: Ref
    out: str
    client: int
    number: int
    path: Path
    extras: Ref | None = None
    payload: bytes = field(default=b"", repr=False)
    lr_scale: float = 1.0
    prox: float = 0.0
    effort: float | None = None
    sent: float | None = None
    which: int = -1
    dims: int = 0
    at_s: float = 0.0
    timeout_s: float = 600.0


@dataclass(frozen=True)
class Reply:
    """What an endpoint answers; its update lies on the data plane.

    ref: the update. payload: the update, packed, where the plane is inline. norm, sketch (float32 bytes): of the update
    as the server will read it. buffers: float32 bytes. samples: in the client's view; steps: local steps.
    get_s, train_s, put_s: seconds on the endpoint's own clock. worker: who did it.
    """

    client: int
    ref: Ref
    norm: float
    loss: float
    samples: int
    steps: int
    payload: bytes = field(default=b"", repr=False)
    sketch: bytes = field(default=b"", repr=False)
    buffers: bytes = field(default=b"", repr=False)
    get_s: float = 0.0
    train_s: float = 0.0
    put_s: float = 0.0
    worker: str = ""


@dataclass(frozen=True)
class ClientFailure:
    """Why a client has no update: kind in a word, the data plane's key if one was concerned, and the cause."""

    client: int
    kind: str
    why: str
    key: str = ""

    def __str__(self) -> str:
        return f"client {self.client}: {self.kind}: {self.why}"

    @classmethod
    def of(cls, client: int, error: BaseException) -> ClientFailure:
        """From whatever was raised; nothing of the error itself is kept, for not every error can be pickled."""
        kind = str(getattr(error, "kind", "") or type(error).__name__)
        return cls(client, one_line(kind, 40), one_line(error or kind, 160), str(getattr(error, "key", "") or ""))
