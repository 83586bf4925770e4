"""Run directories for the report, finished or not: a log that breaks off is shown as far as it goes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from horae.errors import RunError, one_line
from horae.report.log import BROKEN
from horae.report.reading import Arm, read_arm, read_text
from horae.report.schema import NEEDED
from horae.settings import flat


@dataclass(frozen=True)
class Run:
    """A run directory. rival: the arm it was compared with, if there is one; experiment: the file's text."""

    directory: Path
    main: Arm
    rival: Arm | None
    experiment: str

    @property
    def name(self) -> str:
        """What the experiment calls itself."""
        return str(self.main.summary.get("name") or self.main.last("run").get("name") or "run")

    @property
    def equal(self) -> Arm | None:
        """The rival, if both came to their end: before that they have not spent the same budget."""
        return self.rival if self.rival and self.rival.finished and self.main.finished else None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The experiment with dotted names. Errors: RunError where the file is no TOML."""
        try:
            return flat(tomllib.loads(self.experiment))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise RunError(f"{self.directory / 'experiment.toml'} is broken: {one_line(error, 80)}; {BROKEN}") from None


def read_run(directory: Path) -> Run:
    """A run, and the arm it is compared with. Errors: RunError where there is no usable log, or a file is broken."""
    main = _arm(directory)
    if main is None:
        raise RunError(f"{directory / 'events.jsonl'} has no events; run the experiment again")
    baseline, experiment = directory / "baseline", directory / "experiment.toml"
    rival = _arm(baseline) if (baseline / "events.jsonl").exists() else None
    return Run(directory, main, rival, read_text(experiment) if experiment.exists() else "")


def _arm(directory: Path) -> Arm | None:
    """An arm from its files, or from its log alone; None where nothing has happened yet."""
    arm = read_arm(directory)
    arm = Arm([event for event in arm.events if event["event"] in NEEDED], arm.summary)
    if len({len(row) for score in arm.of("score") for row in (score.get("groups") or {}).values()}) > 1:
        raise RunError(f"{directory / 'events.jsonl'}: the scores count different groups; {BROKEN}")
    return (arm if arm.summary else Arm(arm.events, _standing(arm))) if arm.events else None


def _standing(arm: Arm) -> dict[str, Any]:
    """What the summary would say of a log that broke off, as far as it can be told."""
    run, score, rounds = arm.last("run"), arm.last("score"), arm.of("round")
    return {
        "name": run.get("name"),
        "clustering": run.get("components", {}).get("clustering", ""),
        "seed": run.get("seed"),
        "accuracy": score.get("accuracy"),
        "accuracy_worst10": score.get("worst10"),
        "cohorts": len(arm.leaves),
        "rounds": sum(bool(each["clients"]) for each in rounds),
        "participations": sum(len(each["clients"]) for each in rounds),
        "simulated_s": max((event["at_s"] for event in arm.events if "at_s" in event), default=None),
        "bytes_up": sum(each["nbytes_up"] for each in rounds),
        "bytes_down": sum(each["nbytes_down"] for each in rounds),
    }
