"""FLASH's traces, and lists of AI-Benchmark scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from horae.errors import brief
from horae.population.traces.fedscale import pairs, table
from horae.population.traces.phones import MEDIAN_KBPS, Phones, ms_of, one_way
from horae.population.traces.sessions import Sessions
from horae.population.traces.wrong import Wrong

DAY_S = 86_400.0
TRAIN = 2.0  # a phone's state when it may train
MODELS, SCORES, LINES = "flash_real2benchmark.json", "flash_benchmark2score.json", "flash_speed_distri.json"
LISTED = "flash_raw_ai_benchmark_list.json"


def events(found: Any) -> Sessions:
    """{"two_state": {client: [[from_s, state], ...]}}: online in state 2, until the next event.

    Source: FLASH (Yang et al., WWW 2021), state traces. Reading: of a trace of five days and more, days 1 to 4 are
    kept: on day 0 all phones are forced to be online at first, and from day 5 on many are no longer watched.
    """
    names, rows, start, end, lasts = [], [], [], [], [DAY_S]
    for i, (name, listed) in enumerate(table(found, "two_state").items()):
        known = pairs(name, listed)
        if not len(known):
            raise Wrong(f"client {name} should have events, and has none")
        at, state = known.T
        if (np.diff(at) < 0).any() or at[0] < 0:
            raise Wrong(f"client {name} should have its events in order of time")
        here = state == TRAIN
        names.append(str(name))
        rows.append(np.full(int(here.sum()), i))
        start.append(at[here])
        end.append(np.append(at[1:], np.inf)[here])
        lasts.append(float(at[-1]))
    whole_s = float(np.ceil(max(lasts) / DAY_S)) * DAY_S
    ended = np.minimum(np.concatenate(end), whole_s)
    whole = Sessions.of(names, np.concatenate(rows), np.concatenate(start), ended, whole_s)
    return whole.cut(DAY_S, 5 * DAY_S) if whole_s >= 5 * DAY_S else whole


def phones(found: Any, beside: Mapping[str, Any]) -> Phones:
    """[{"model": ...}, ...]: the phones whose model has a benchmark score, by way of the files that lie `beside`.

    The i-th of them sends over the line of the i-th user of the speed file, which is gone through again and again.

    Source: FLASH: real model -> benchmark's name -> AI score. Reading: scores as in `ms_of`; the speed file states no
    unit, kB/s is presumed; a line's one bandwidth is that of a model that goes down and comes up.
    """
    scores = {**_listed(beside.get(LISTED, [])), **beside[SCORES]}
    named = [str(row.get("model")) for row in found]
    scored = [(model, scores.get(str(beside[MODELS].get(model)))) for model in named]
    known = [(model, float(n)) for model, n in scored if isinstance(n, int | float) and abs(n) < 1e300]
    if not known:
        raise Wrong(f"no phone's model has a score in {SCORES}")
    return _with_lines([name for name, _ in known], np.array([score for _, score in known]), beside[LINES])


def listed(found: Any) -> Phones:
    """[{"Model": ..., "AI_Score": ...}, ...]: AI-Benchmark's list, one device for each phone model."""
    return scored(_listed(found))


def scored(scores: Mapping[str, float]) -> Phones:
    """Devices with a score and no line: everybody sends at the median, 2,209 kbit/s (our reading)."""
    values = np.array([float(score) for score in scores.values()])
    return Phones.of(list(scores), ms_of(values), np.full(values.size, MEDIAN_KBPS))


def lines_kbps(found: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """One bandwidth for each user of the speed file, kbit/s."""
    try:
        both = np.array([[float(user["down_u"]), float(user["up_u"])] for user in found.values()])
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise Wrong(f"{LINES} should hold {{user: {{'down_u', 'up_u'}}}}") from None
    if both.size == 0 or not ((both > 0) & (both < 1e9)).all():
        raise Wrong(f"{LINES} should hold speeds > 0 and < 1e9")
    return 8 * one_way(*both.T)


def siblings(file: Path) -> dict[str, Path]:
    """The files that FLASH's phones need beside them; the list of scores is optional."""
    beside = {name: file.with_name(name) for name in (MODELS, SCORES, LINES, LISTED)}
    return {name: path for name, path in beside.items() if name != LISTED or path.is_file()}


def _with_lines(names: list[str], scores: np.ndarray[Any, np.dtype[np.float64]], lines: Any) -> Phones:
    kbps = lines_kbps(lines)
    return Phones.of(names, ms_of(scores), kbps[np.arange(len(names)) % kbps.size])


def _listed(found: Any) -> dict[str, float]:
    """Model to score; a score is followed by footnotes, as in " 76206 1,6"."""
    scores = {}
    for row in found:
        words = str(row.get("AI_Score", "")).split()
        if not words or not words[0].isdigit():
            raise Wrong(f"AI_Score should begin with a number, got {brief(row.get('AI_Score'), 40)}")
        scores[str(row.get("Model"))] = float(words[0])
    return scores
