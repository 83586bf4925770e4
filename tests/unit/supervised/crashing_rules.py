"""Rules that misbehave, as somebody else's might: aggregators' processes import them from here."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Moody:
    """The mean; but at those of its calls, counted in a file whoever makes them, that `at` lists it does `what`."""

    file: str = ""
    at: tuple[int, ...] = ()
    what: str = "raise"

    def combine(self, updates, weights, rng):
        with Path(self.file).open("a") as out:
            out.write(".")
        call = Path(self.file).stat().st_size
        if call in self.at or not self.at:
            if self.what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.what == "exit":
                os._exit(3)
            if self.what == "sleep":
                time.sleep(60)
            raise ArithmeticError("a nan\nin a haystack")
        return updates.combine(weights)


@dataclass(frozen=True)
class Noted:
    """FedAvg whose state is a list of the rounds it stepped in, and of the processes that did."""

    def init(self, params):
        return {"rounds": [], "pids": []}

    def correction(self, state):
        from horae.types import Correction

        return Correction()

    def weigh(self, outcome):
        return outcome.samples.astype(float)

    def step(self, state, params, direction, outcome):
        told = {"rounds": [*state["rounds"], outcome.round.number], "pids": [*state["pids"], os.getpid()]}
        return params + direction, told


@dataclass(frozen=True)
class Unstorable(Noted):
    """Its state cannot be packed."""

    def step(self, state, params, direction, outcome):
        return params + direction, {np.float32}
