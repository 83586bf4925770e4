"""The generators of hours and devices, fitted to recorded traces: parameters, and real against generated.

    python benchmarks/fit_traces.py --data-root DIR [--json FILE]

Hours: Nelder-Mead on the sum of the Kolmogorov-Smirnov distances of the shares of time online and of the seconds left
online, and of the difference in the daily harmonic; 300 generated clients of one seed, looked at every ten minutes.
Devices: the log-normal's median is the trace's, its log-sd that of the logarithms. Defaults are left as they are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from horae.errors import RunError
from horae.files import write_whole
from horae.population.availability import SyntheticAvailability
from horae.population.traces import Phones, Sessions, located, read_trace
from horae.population.traces.figures import (
    Hours,
    compared,
    distance,
    generated_hours,
    generated_speeds,
    speeds,
    watched,
    watched_trace,
)

HOURS = ("traces/flash_availability_300x6d.json", "traces/fedscale_unavailability_300x48h.json")
DEVICES = ("traces/flash_aggregated_durations_1000.json", "traces/ai_benchmark_2025.csv")
STEP_S, TURNS = 600.0, 160
STEPS = (0.3, 0.4, 0.4, 0.2, 0.8)  # of the first simplex, in `_point`'s numbers
FIELDS = ("mean", "concentration", "session_s", "session_sd", "daily")


def main() -> None:
    """Fit, and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data-root", type=Path, help="the data directory (default: HORAE_DATA or ~/.cache/horae)")
    options.add_argument("--json", type=Path, help="write the numbers here")
    given = options.parse_args()
    table: dict[str, Any] = {}
    for name in (*HOURS, *DEVICES):
        known, _ = read_trace(located(name, given.data_root))
        table[name] = fit_hours(known) if isinstance(known, Sessions) else fit_devices(known)
        show(name, table[name])
    if given.json:
        if not given.json.parent.is_dir():
            raise RunError(f"cannot write {given.json}: there is no such directory")
        write_whole(given.json, json.dumps(table, indent=1) + "\n")


def fit_hours(known: Sessions) -> dict[str, Any]:
    """The parameters of `SyntheticAvailability` nearest to a trace, and how near they and the defaults come."""
    length_s, coarse = float(known.period_s.max()), watched_trace(known, STEP_S)
    daily = length_s >= 3 * 86_400  # of a shorter trace, or one whose time was rescaled, no day can be told
    start = _point(SyntheticAvailability(mean=float(known.shares.mean())))
    simplex = np.vstack([start, start + np.diag(STEPS)])
    found = minimize(
        lambda point: _loss(coarse, _generator(point), length_s, daily),
        start,
        method="Nelder-Mead",
        options={"maxfev": TURNS, "initial_simplex": simplex},
    )
    fitted, real = _generator(found.x), watched_trace(known)
    made = {"defaults": generated_hours(known), "fitted": watched(fitted, length_s)}
    return {
        "fitted": {field: round(getattr(fitted, field), 3) for field in FIELDS},
        "daily_harmonic": {"real": real.daily, **{name: hours.daily for name, hours in made.items()}} if daily else {},
        "compared": {name: compared(real.samples, hours.samples) for name, hours in made.items()},
    }


def fit_devices(known: Phones) -> dict[str, Any]:
    """Median and log-sd of speed and line, and how near a log-normal with them and the defaults come."""
    real = {name: values for name, values in speeds(known).items() if np.ptp(values) > 0}
    made = generated_speeds()
    normal = np.random.default_rng(0).standard_normal(20_000)  # not a run's randomness: a sample to compare with
    fit = {name: (float(np.median(values)), float(np.log(values).std())) for name, values in real.items()}
    lines = {name: median * np.exp(sd * normal) for name, (median, sd) in fit.items()}
    return {
        "fitted": {name: {"median": round(m, 1), "log_sd": round(sd, 3)} for name, (m, sd) in fit.items()},
        "compared": {"defaults": compared(real, made), "fitted": compared(real, lines)},
    }


def show(name: str, row: dict[str, Any]) -> None:
    """One trace, for people."""
    print(f"\n{name}\n  fitted: {row['fitted']}")
    if row.get("daily_harmonic"):
        print("  daily harmonic, peak / mean:", {k: round(v, 3) for k, v in row["daily_harmonic"].items()})
    print(f"  {'':14}{'':11}{'5%':>10}{'25%':>10}{'50%':>10}{'75%':>10}{'95%':>10}{'KS':>8}")
    versions = row["compared"]
    for what, first in versions["defaults"].items():
        lines = [("real", first["real"], None)]
        lines += [(label, found[what]["generated"], found[what]["ks"]) for label, found in versions.items()]
        for label, values, ks in lines:
            cells = "".join(f"{value:>10.4g}" for value in values.values())
            print(f"  {what if label == 'real' else '':14}{label:11}{cells}{'' if ks is None else f'{ks:8.3f}'}")


def _loss(real: Hours, there: SyntheticAvailability, length_s: float, daily: bool) -> float:
    made = watched(there, length_s, step_s=STEP_S)
    off = abs(made.daily - real.daily) if daily else 0.0
    one, other = real.samples, made.samples
    return sum(distance(one[key], other[key]) for key in ("share_online", "left_s") if other[key].size) + off


def _generator(point: Any) -> SyntheticAvailability:
    """Parameters from five free numbers."""
    mean, concentration, session_s, session_sd, daily = point
    share = 1 / (1 + np.exp(-np.array([mean, daily])))
    sd = float(np.clip(session_sd, 0, 3))
    return SyntheticAvailability(
        float(share[0]), float(np.exp(concentration)), float(np.exp(session_s)), sd, float(share[1])
    )


def _point(there: SyntheticAvailability) -> Any:
    def logit(share: float) -> float:
        return float(np.log(share / (1 - share)))

    return np.array(
        [logit(there.mean), np.log(there.concentration), np.log(there.session_s), there.session_sd, logit(there.daily)]
    )


if __name__ == "__main__":
    main()
