"""Any Flower strategy, once per cohort, inside a ServerApp of one's own.

@app.main()
def main(grid, context):
    models = cohorts(lambda: FedYogi(eta=0.01), Auxo(), rounds=50, checkpoint="state").start(grid, arrays)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord

from horae.clustering import Auxo
from horae.cohorts.coordinator import VERBS
from horae.errors import ConfigError, brief, one_line, require
from horae.files import check_writable
from horae.flower.driving import Driver, Ended
from horae.types import Clustering, Lockstep, Path


@dataclass(frozen=True)
class StrategyCohorts:
    """How cohorts train on Flower; `start` does it.

    strategy_factory: makes one unmodified strategy; it is called for the first cohort, and a split copies its parent's
    strategy with all that it has learnt. rounds: of each cohort, its ancestors' included. participants: per round, all
    cohorts together; 0 is everybody who is there. overcommit: times as many nodes are asked as replies are waited for.
    min_nodes: fewest nodes of a round; 0 is as many as the strategy waits for. deadline_s: the longest a round may
    wait for training, and for evaluation. patience_s: how long a cohort may wait for its nodes. evaluate_every: rounds
    between two evaluations by the nodes that trained, 0 for none. checkpoint: a directory, from which `start` goes on
    where it stood. lockstep: cohorts begin their rounds together, and the same replies give the same models; else no
    cohort waits for another. poll_s: between two looks for replies. on_round: is told of every round that ended.
    """

    strategy_factory: Callable[[], Any]
    clustering: Clustering = field(default_factory=Auxo)
    rounds: int = 3
    participants: int = 0
    overcommit: float = 1.0
    min_nodes: int = 0
    deadline_s: float = 3600.0
    patience_s: float = 3600.0
    train_config: ConfigRecord | None = None
    evaluate_config: ConfigRecord | None = None
    evaluate_every: int = 1
    checkpoint: FilePath | None = None
    seed: int = 0
    name: str = "cohorts"
    lockstep: bool = False
    poll_s: float = 1.0
    on_round: Callable[[Ended], None] | None = None

    def __post_init__(self) -> None:
        whole = all(callable(getattr(self.clustering, verb, None)) for verb in VERBS)
        plain = whole and not isinstance(self.clustering, Lockstep | type)
        remedy = "rounds that all share need horae's own loop"
        require(plain, "clustering", "be like Auxo() or Single()", self.clustering, remedy)
        for name, least in (("rounds", 1), ("participants", 0), ("min_nodes", 0), ("evaluate_every", 0), ("seed", 0)):
            value = getattr(self, name)
            require(type(value) is int and value >= least, name, f"be a whole number >= {least}", value)
        for name, least_s in (("deadline_s", 0.0), ("patience_s", 0.0), ("poll_s", 0.0)):
            value = getattr(self, name)
            require(type(value) in (int, float) and value > least_s, name, "be a number of seconds > 0", value)
        require(self.overcommit >= 1, "overcommit", "be >= 1", self.overcommit)
        require(type(self.name) is str and bool(self.name), "name", "be a text", self.name)
        for name in ("train_config", "evaluate_config"):
            value = getattr(self, name)
            require(value is None or isinstance(value, ConfigRecord), name, "be a ConfigRecord", value)
        if self.checkpoint is not None:
            require(isinstance(self.checkpoint, FilePath), "checkpoint", "be a path", self.checkpoint)
            check_writable(self.checkpoint)
        _check_factory(self.strategy_factory)

    def start(self, grid: Any, initial_arrays: ArrayRecord) -> dict[Path, ArrayRecord]:
        """Train until every cohort has done its rounds, and hand back the cohorts' models by path.

        Whatever is in `checkpoint` is gone on with; initial_arrays then give the model's shape alone.
        """
        good = isinstance(initial_arrays, ArrayRecord) and len(initial_arrays) > 0
        require(good, "initial_arrays", "be an ArrayRecord that holds arrays", type(initial_arrays).__name__)
        whole = all(callable(getattr(grid, verb, None)) for verb in ("get_node_ids", "push_messages", "pull_messages"))
        require(whole, "grid", "be the grid that Flower gives a ServerApp's main", grid)
        return Driver(self, grid, initial_arrays).run()


def cohorts(
    strategy_factory: Callable[[], Any], clustering: Clustering | None = None, **options: Any
) -> StrategyCohorts:
    """A strategy per cohort: see `StrategyCohorts` for the options. checkpoint may be a text."""
    known = StrategyCohorts.__dataclass_fields__
    odd = next((name for name in options if name not in known), None)
    require(odd is None, "cohorts", f"have options {', '.join(list(known)[2:])}", odd)
    if isinstance(options.get("checkpoint"), str):
        options["checkpoint"] = FilePath(options["checkpoint"])
    return StrategyCohorts(strategy_factory, Auxo() if clustering is None else clustering, **options)


def _check_factory(factory: Any) -> None:
    """Refuse what makes no strategy, or the same one again: cohorts must not share one."""
    remedy = "give a function that makes one, like lambda: FedAvg()"
    require(callable(factory), "strategy_factory", "make a strategy", factory, remedy)
    try:
        one, other = factory(), factory()
    except Exception as error:  # whatever somebody else's strategy says
        why = one_line(f"{type(error).__name__}: {error}", 120)
        raise ConfigError(f"strategy_factory should make a strategy, got {brief(why)}; {remedy}") from None
    whole = all(callable(getattr(one, verb, None)) for verb in ("configure_train", "aggregate_train"))
    require(whole and not isinstance(one, type), "strategy_factory", "make a strategy", one, remedy)
    require(one is not other, "strategy_factory", "make a new strategy each time", one, remedy)
