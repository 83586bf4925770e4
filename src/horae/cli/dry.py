"""`horae run --dry-run`: what would be run, and about how long that would take."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from horae.cli.options import printed
from horae.errors import ConfigError

if TYPE_CHECKING:
    from horae.estimate import Estimate


def dry_run(file: Path | None, changes: dict[str, Any], options: dict[str, Any], as_json: bool) -> None:
    """Print the resolved experiment as TOML, with an estimate as comments. Nothing is left behind. Errors: HoraeError.

    options: those of `horae.run`.
    """
    from horae.estimate import estimate, facts
    from horae.experiment import load
    from horae.settings import dumps

    if options["resume"] is not None:
        raise ConfigError("--dry-run goes with a run that is not begun, got --resume; leave one of the two out")
    executor = {"site.executor": options["executor"]} if options["executor"] else {}
    experiment = load(file, {**changes, **executor})
    console = Console(stderr=True, quiet=as_json)
    if console.is_terminal:
        console.print("trying a few rounds ...", highlight=False)
    found = estimate(experiment, options["data_root"], options["out"], options["workers"], options["pool"], age_s())
    table = experiment.table()
    if printed({"experiment": table, "estimate": None if found is None else facts(found)}, as_json):
        return
    print(dumps(table), end="")
    print("\n".join(f"# {line}" for line in words(found)))


def age_s() -> float:
    """Seconds since this process began; 0 where nobody says."""
    try:
        began = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return max(time.clock_gettime(time.CLOCK_BOOTTIME) - began, 0.0)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


def words(found: Estimate | None) -> list[str]:
    """The estimate, a line each."""
    if found is None:
        return ["estimate: none for [site], whose workers are not started for a dry run"]
    if found.seconds is None:
        lines = [
            "estimate: none of the time, for a round lasts too long to try one and the budget counts no participations"
        ]
    else:
        lines = [f"estimate: about {lasting(found.seconds)} and {found.memory_bytes / 2**20:,.0f} MiB of memory"]
    for arm in found.arms:
        how = f"from {arm.rounds} rounds" if arm.rounds else "from a handful of clients"
        time = "unknown" if arm.seconds is None else lasting(arm.seconds)
        lines.append(f"  {arm.clustering}: {time}, {arm.per_participation_s * 1e3:.3g} ms a participation, {how}")
    lines.append(f"  loading and clients {lasting(found.set_up_s)}, report {lasting(found.report_s)}")
    return [*lines, f"  tried for {lasting(found.calibration_s)}; it is an estimate: other work slows a run down"]


def lasting(seconds: float) -> str:
    """Seconds in words.

    >>> lasting(42), lasting(150), lasting(9000)
    ('42 s', '2.5 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 9.5 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
