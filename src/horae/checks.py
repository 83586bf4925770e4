"""What an experiment must not ask for: above all what is fine alone, but cannot be carried out together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from horae.alignment import Off
from horae.clustering import CLUSTERING, Oracle
from horae.engines.simulation import Pace
from horae.errors import ConfigError, one_line, require
from horae.federate import Budget
from horae.population import Population
from horae.training import Training
from horae.types import Ints, Keeping, Levelling, Metered, Uneven, Weighing

AGES_S = 1e10  # three hundred years: the longest that anything may last
CELLS = 2**30  # places for samples in one round's batches: 12 bytes each


def check_name(name: str) -> None:
    """Refuse a name that cannot be a directory's, for it is one."""
    field, size = "name", len(name.encode(errors="replace"))
    odd = name != name.strip() or name.startswith(".") or "/" in name or "\\" in name or not name.isprintable()
    should = "be fit for a directory: without slashes, unprintable letters, a leading dot, or spaces around it"
    require(bool(name) and not odd, field, should, name)
    require(len(name) <= 100 and size <= 200, field, "have at most 100 letters (200 bytes)", name, "shorten it")


def check_pace(pace: Pace) -> None:
    """Refuse waits so short or long that the virtual clock never arrives anywhere, or at once at the end of days."""
    require(pace.retry_s >= 1, "engine.retry_s", "be >= 1", pace.retry_s, "60 is usual")
    for field in ("check_in_s", "retry_s"):
        value = getattr(pace, field)
        require(value <= AGES_S, f"engine.{field}", f"be <= {AGES_S:g}", value, "lower it")


def check_budget(budget: Budget) -> None:
    """Refuse a budget with no limit, or several."""
    limits = (budget.participations, budget.simulated_s, budget.bytes)
    one = "name exactly one positive limit: participations, simulated_s or bytes"
    single = sum(limit > 0 for limit in limits) == 1 and min(limits) >= 0
    require(single, "budget", one, vars(budget))
    require(budget.simulated_s <= AGES_S, "budget.simulated_s", f"be <= {AGES_S:g}", budget.simulated_s, "lower it")


def check_people(people: Population, used: Any, baseline: str, participants: int) -> None:
    """Refuse clients that are too few, or whose groups the oracle cannot use."""
    n, remedy = people.clients, "lower participants or raise population.clients"
    require(participants <= n, "participants", f"be <= {n} clients", participants, remedy)
    for which, clustering in _clusterings(used, baseline):
        if isinstance(clustering, Oracle):
            _check_groups(people.labels, which, participants)


def check_alignment(people: Population, alignment: Any) -> None:
    """Refuse to align what has no labels to go by."""
    fine = isinstance(alignment, Off) or people.task == "classification"
    should = f"be off for {people.task}, which has no label for each sample"
    require(fine, "alignment", should, type(alignment).__name__)


def check_aggregation(parts: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Refuse a rule that would make nothing of the algorithm: its weights are passed over, or sent without noise."""
    algorithm, rule, remedy = parts["algorithm"], parts["aggregation"], "use the mean, or another algorithm"
    level = isinstance(rule, Levelling) and rule.levels
    if level and isinstance(algorithm, Weighing):
        should = f"be one that weighs clients by their {algorithm.weighs_by} for {names['algorithm']}"
        require(False, "aggregation", should, names["aggregation"], remedy)
    if isinstance(parts["pruning"], Uneven) and parts["pruning"].uneven:
        should = f"be mean with {names['pruning']}, whose clients train different weights"
        require(names["aggregation"] == "mean", "aggregation", should, names["aggregation"], "use the mean")
    if isinstance(rule, Metered) and isinstance(algorithm, Keeping) and algorithm.vectors[1]:
        should = f"be another than one that adds noise for {names['algorithm']}, whose second vector has none"
        require(False, "aggregation", should, names["aggregation"], remedy)


def check_visits(parts: Sequence[object], budget: Budget, clients: int) -> None:
    """Refuse a budget of more participations than the clients have left to give."""
    for most in (part.visits for part in parts if isinstance(part, Metered) and part.visits):
        should = f"be >= {-(-budget.participations // clients)}, budget.participations shared by {clients} clients"
        require(
            most * clients >= budget.participations, "channels.visits", should, most, "raise it, or lower the budget"
        )


def check_batches(training: Training, most: int, participants: int) -> None:
    """Refuse batches that no memory holds. most: training samples of any client."""
    steps = training.epochs * -(-most // training.batch) if training.epochs else training.steps
    cells, field = participants * steps * training.batch, "training.batch x steps x participants"
    require(cells <= CELLS, field, f"be <= {CELLS:,}, what fits in memory", cells, "lower training.batch")


@contextmanager
def affordable(what: str, remedy: str) -> Iterator[None]:
    """While something large is made: a lack of memory is a mistake of the experiment. Errors: ConfigError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):  # torch has no error of its own for it
            raise
        raise ConfigError(f"{what} should fit into memory: {one_line(error, 120)}; {remedy}") from None


def _check_groups(found: Ints, which: str, participants: int) -> None:
    planted = found[found >= 0]
    field, remedy = f"{which} oracle", "use another one, or a population with planted groups such as digits-rotated"
    require(planted.size > 0, field, "have planted groups to go by", "a population without", remedy)
    if planted.size == 1:
        return
    whole = found.tolist() == list(range(found.size))
    remedy = "give every client a group, and number the groups 0, 1, 2, ..."
    require(whole, field, "have groups numbered from 0 without gaps, one for each client", found.tolist(), remedy)
    should = f"be >= {found.size} for {which} oracle, one for each planted group"
    require(participants >= found.size, "participants", should, participants, "raise it, or plant fewer groups")


def _clusterings(used: Any, baseline: str) -> list[tuple[str, Any]]:
    """The clustering and the one it is compared with, with the name of the field that chose it."""
    beside = CLUSTERING.get(baseline)
    rival = [] if beside is None or isinstance(used, beside) else [("baseline", beside())]
    return [("clustering", used), *rival]
