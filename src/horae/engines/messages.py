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
    """How an endpoint gets plan and world: `build` ("package.module:function") of `text`, done once by each process.

    where: the endpoint's own id, for an executor that has several.
    """

    build: str
    text: str
    where: str = ""

    @property
    def key(self) -> str:
        """Its name in a process's cache."""
        return hashlib.blake2b(f"{self.build}\n{self.text}".encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Task:
    """One client's part of a round.

    plane: the data plane's address. model: {"params", "buffers"}, with a "mask" where params are only some of them;
    extras: what else this round needs ("drift", "target"), or None. payload: both, packed, where the plane is inline.
    out: the key for the update, assigned by the controller. effort, sent: as the round's, None is 1. dims: of the
    sketch, 0 for none. at_s: when the round opened. letters: what the client is told beside, packed, where it keeps its
    own affinity record.
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
    dims: int = 0
    at_s: float = 0.0
    timeout_s: float = 600.0
    letters: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Question:
    """What some clients of one site are asked outside rounds.

    client: the first of them. work: the question, packed, without the models that it is about: these are at `models`,
    or packed in `payload` where the plane is inline. out: the key for a large answer.
    """

    recipe: Recipe
    plane: str
    client: int
    work: bytes = field(repr=False)
    models: Ref | None = None
    payload: bytes = field(default=b"", repr=False)
    out: str = ""
    at_s: float = 0.0
    timeout_s: float = 600.0


@dataclass(frozen=True)
class Visit:
    """Have `recipe.build` called with `recipe.text` where the site is: before anybody knows who is there."""

    recipe: Recipe
    client: int = 0
    timeout_s: float = 600.0


@dataclass(frozen=True)
class Answer:
    """To a question or a visit: arrays by name, packed, or at `ref`."""

    client: int
    payload: bytes = field(default=b"", repr=False)
    ref: Ref | None = None


@dataclass(frozen=True)
class Reply:
    """What an endpoint answers; its update lies on the data plane.

    ref: the update. payload: the update, packed, where the plane is inline. norm: of the update as the server will read
    it. sketch (float32 bytes): of what the clustering reads, the probe if there is one. buffers: float32 bytes.
    samples: in the client's view; steps: local steps. get_s, train_s, put_s: seconds on the endpoint's own clock.
    worker: who did it. record: the client's affinity record (its next request), where it keeps that itself.
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
    record: bytes = field(default=b"", repr=False)


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


Message = Task | Question | Visit
Said = Reply | Answer | ClientFailure
