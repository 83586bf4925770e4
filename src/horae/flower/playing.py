"""One round of one strategy, in a thread of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flwr.app import ArrayRecord, ConfigRecord, MetricRecord

from horae.errors import HoraeError, RunError, one_line
from horae.flower.coordinating import Heard
from horae.flower.grid import ONE, CohortGrid

if TYPE_CHECKING:
    from horae.flower.strategies import StrategyCohorts


@dataclass
class Played:
    """What a thread brings back."""

    view: CohortGrid
    heard: Heard
    arrays: ArrayRecord | None
    train: MetricRecord | None = None
    evaluate: MetricRecord | None = None


def play(plan: StrategyCohorts, strategy: Any, turn: int, arrays: ArrayRecord, view: CohortGrid) -> Played:
    """One round of one strategy, in a thread of its own: training, and then evaluation by those who trained."""
    try:
        config = ConfigRecord(dict(plan.train_config or {}))
        with ONE:
            messages = list(strategy.configure_train(turn, arrays, config, view))
        replies = view.send_and_receive(messages, timeout=plan.deadline_s)
        with ONE:
            new, train = strategy.aggregate_train(turn, replies)
        played = Played(view, view.heard(), new, train)
        if new is not None and plan.evaluate_every and turn % plan.evaluate_every == 0:
            played.evaluate = _evaluate(plan, strategy, turn, new, view)
        return played
    except HoraeError:
        raise
    except Exception as error:  # whatever somebody else's strategy says
        what = type(strategy).__name__
        raise RunError(f"{what} failed in {view.group}: {type(error).__name__}: {one_line(error, 240)}") from error


def _evaluate(plan: StrategyCohorts, strategy: Any, turn: int, arrays: ArrayRecord, view: CohortGrid) -> Any:
    there = view.only_answered()
    if there < wanted_by(strategy, "evaluate"):
        return None  # the strategy would wait for nodes that are gone
    config = ConfigRecord(dict(plan.evaluate_config or {}))
    with ONE:
        messages = list(strategy.configure_evaluate(turn, arrays, config, view))
    replies = view.send_and_receive(messages, timeout=plan.deadline_s)
    with ONE:
        return strategy.aggregate_evaluate(turn, replies)


def wanted_by(strategy: Any, phase: str = "train") -> int:
    """The nodes that a strategy waits for, as Flower's say it; 2 where it says nothing."""
    said = [getattr(strategy, name, None) for name in (f"min_{phase}_nodes", "min_available_nodes")]
    inner = getattr(strategy, "strategy", None)
    numbers = [n for n in said if type(n) is int] or ([wanted_by(inner, phase)] if inner is not None else [2])
    return max(1, *numbers)
