"""Workers of any `concurrent.futures.Executor`, Ray's and Parsl's among them, for when one machine is not enough."""

from __future__ import annotations

import hashlib
import pickle
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from horae.errors import RunError
from horae.training.pool import Answer, Part, Path, train_part

KEPT = 2  # paths that a worker keeps: each holds a data set


@dataclass(frozen=True)
class Missing:
    """A worker's answer: I have no such path."""


@dataclass(frozen=True)
class Failed:
    """A worker's answer: the training itself went wrong, and would again."""

    error: Exception


@dataclass
class Far:
    """Workers that share nothing with this process: the path, data set and all, is sent along once.

    With the first round everybody gets it; later whoever says that it is missing. What the executor raises means a lost
    worker; what the training raises comes back as an answer.
    """

    path: Path
    threads: int
    start: Callable[[], Executor]
    _blob: bytes = field(default=b"", init=False, repr=False)
    _key: str = field(default="", init=False)
    _known: bool = field(default=False, init=False)
    _executor: Executor | None = field(default=None, init=False, repr=False)

    lost = (Exception,)

    def submit(self, part: Part) -> Callable[[], Answer]:
        """Have a part trained."""
        if self._executor is None:
            self._executor = self.start()
        if not self._blob:
            self._blob = pickle.dumps(self.path)
            self._key = hashlib.blake2b(self._blob, digest_size=16).hexdigest()
        return partial(self._answered, part, self._sent(part, whole=not self._known))

    def renew(self) -> None:
        """The executor looks after its workers; a new one has to be told everything."""
        self._known = False

    def close(self) -> None:
        """End the executor."""
        if self._executor is not None:
            self._executor.shutdown()
            self._executor, self._known = None, False

    def _answered(self, part: Part, future: Future[Any]) -> Answer:
        answer = future.result()
        if isinstance(answer, Missing):
            answer = self._sent(part, whole=True).result()
        self._known = True
        if isinstance(answer, Failed):
            raise RunError(f"training failed in a worker: {type(answer.error).__name__}: {answer.error}")
        assert isinstance(answer, Answer)
        return answer

    def _sent(self, part: Part, *, whole: bool) -> Future[Any]:
        assert self._executor is not None
        return self._executor.submit(train_far, self._key, self._blob if whole else b"", self.threads, part)


_paths: OrderedDict[str, Path] = OrderedDict()  # a worker's own


def train_far(key: str, blob: bytes, threads: int, part: Part) -> Answer | Missing | Failed:
    """In a worker: one part's clients. blob: the pickled path, empty if the worker should have it."""
    if key not in _paths:
        if not blob:
            return Missing()
        torch.set_num_threads(threads)
        _paths[key] = pickle.loads(blob)
        while len(_paths) > KEPT:
            _paths.popitem(last=False)
    try:
        with threadpool_limits(limits=1):
            return train_part(_paths[key], part)
    except Exception as error:
        return Failed(error)
