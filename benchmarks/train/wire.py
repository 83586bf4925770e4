"""An engine's side of the talk with the harness: lines of JSON on its standard input and output."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, Protocol

import numpy as np


class Engine(Protocol):
    """Something that trains."""

    def round(self) -> float | None:
        """Do one round; seconds it took, where the engine knows better than a clock around this call."""

    def params(self) -> np.ndarray:
        """The server's model now, one vector."""


class Wire:
    """The way back to the harness; whatever else the process prints goes to its log."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def ready(self, **about: Any) -> None:
        """Libraries and data are loaded; what the harness is told goes into the results."""
        self._say({"ready": True, "about": about})

    def obey(self, engine: Engine) -> None:
        """Answer commands until told to stop, or until nobody is there to tell."""
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "stop":
                break
            if command["do"] == "round":
                started = time.perf_counter()
                measured = engine.round()
                self._say({"seconds": time.perf_counter() - started if measured is None else measured})
            if command["do"] == "save":
                np.save(command["path"], engine.params())
                self._say({"saved": True})

    def _say(self, answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=self._out, flush=True)
