"""What a paper claims, as a file says it: the claim, how to test it at two sizes, and what is compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from horae.compare.arms import Named
from horae.compare.vary import Vary
from horae.reproduce.probes import Probe

SIZES = ("small", "paper")

Side = tuple[str, ...] | float  # one arm, two whose difference is meant, or a number


@dataclass(frozen=True)
class Claim:
    """Who says what, and where. picture: how the page draws `measure` of `arms` (all, if none is named): dots by arm,
    lines over the varied field `across`, curves over simulated time, or nothing.
    """

    paper: str
    where: str
    words: str
    picture: Literal["", "dots", "lines", "curves"] = ""
    measure: str = "accuracy"
    across: str = ""
    arms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Size:
    """How a claim is tested: as `horae compare` does (experiment, settings, vary, named), by the runs of another file
    of the folder, or by a probe.

    words: what stands in for the paper's data and models. minutes: about, three seeds on two cores. none: the claim has
    no such size. digest: of all that decides what is measured.
    """

    words: str
    minutes: float = 0.0
    experiment: Path | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    vary: Vary = field(default_factory=dict)
    named: tuple[Named, ...] = ()
    against: str = ""
    target: float | None = None
    tune: Vary = field(default_factory=dict)
    tune_seeds: tuple[int, ...] = ()
    tune_budget: int | None = None
    runs: str = ""
    probe: Probe | None = None
    none: bool = False
    digest: str = ""

    @property
    def arms(self) -> list[dict[str, Any]]:
        """The named arms as `horae.compare.compare` takes them."""
        return [{"name": one.name, "set": one.changes, "tune": one.tune} for one in self.named]


@dataclass(frozen=True)
class Check:
    """One row: the paper's number, and which arm lies on which side of which other by what measure.

    arm, against: by size; against is None where it is the size's. direction: what the paper claims. within: for "same",
    how far apart is still the same. ratio: quotients, not differences. why: for a row that does not hold at small size.
    """

    words: str
    arm: dict[str, Side]
    against: dict[str, Side | None]
    measure: str
    direction: Literal["higher", "lower", "same"]
    paper: str
    within: float
    ratio: bool
    sizes: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Reproduction:
    """A whole file. folder, name: `auxo` and `table5`."""

    folder: str
    name: str
    file: Path
    claim: Claim
    sizes: dict[str, Size]
    checks: tuple[Check, ...]

    @property
    def title(self) -> str:
        """As it is asked for."""
        return f"{self.folder}/{self.name}"

    def checks_at(self, size: str) -> list[Check]:
        """Those that make sense at a size."""
        return [check for check in self.checks if size in check.sizes]
