"""What a comparison consists of: a base experiment, what is varied, the seeds; kept in comparison.json."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from horae import __version__
from horae.compare.vary import MOST, TAKEN, Arm, Vary, arms_of, find_arm, word
from horae.errors import ConfigError, DataError, HoraeError, RunError, require
from horae.experiment import Experiment, load
from horae.files import write_whole
from horae.settings import differences, dumps

FILE = "comparison.json"


@dataclass(frozen=True)
class Plan:
    """base: the resolved experiment that all arms change. settings: changes that belong to a varied member.

    vary: dotted field to its values. against: the name of the arm that the others are compared with. data_root: where
    data sets lie, if that was said.
    """

    base: dict[str, Any]
    settings: dict[str, Any]
    vary: Vary
    seeds: list[int]
    against: str
    data_root: str | None
    horae: str = __version__

    @property
    def name(self) -> str:
        """The base experiment's."""
        return str(self.base["name"])

    @property
    def arms(self) -> list[Arm]:
        """All of them, in order."""
        return arms_of(self.vary)

    def experiment(self, arm: Arm, seed: int) -> Experiment:
        """One run's experiment. Errors: ConfigError that names the arm."""
        try:
            return load(self.base, {**self.settings, **arm.changes, "seed": seed, "baseline": "none"})
        except ConfigError as error:
            raise ConfigError(f"arm {arm.name}: {error}") from None

    def told(self, against: str | None, data_root: Path | None) -> Plan:
        """The same runs compared with another arm, or with their data elsewhere, if that is said."""
        against = self.against if against is None else find_arm(self.arms, against).name
        return replace(self, against=against, data_root=self.data_root if data_root is None else str(data_root))

    def command(self) -> str:
        """What does the comparison again, in its directory."""
        options = [("--vary", f"{key}={','.join(map(word, values))}") for key, values in self.vary.items()]
        options += [("--set", f"{key}={word(value)}") for key, value in self.settings.items()]
        options += [("--seeds", ",".join(map(str, self.seeds)))]
        options += [("--against", self.against)] if self.against != self.arms[0].name else []
        return shlex.join(["horae", "compare", "base.toml", *(words for option in options for words in option)])

    def table(self) -> dict[str, Any]:
        """What comparison.json holds."""
        return {"name": self.name, **asdict(self), "arms": [asdict(arm) for arm in self.arms]}


def make(
    source: str | Path | Mapping[str, Any] | Experiment | None,
    settings: Mapping[str, Any],
    vary: Vary,
    seeds: list[int],
    against: str | None = None,
    data_root: Path | None = None,
) -> Plan:
    """A plan from options. Errors: ConfigError where a field is both set and varied, or the base is no experiment."""
    for key in settings:
        require(key not in vary, f"--set {key}", "be another field than those varied", key, "leave one of the two out")
        require(key not in TAKEN, f"--set {key}", "be another field", key, TAKEN.get(key, ""))
    own = {key: value for key, value in settings.items() if f"{key.split('.')[0]}.name" in vary}  # of the new member
    shared = {key: value for key, value in settings.items() if key not in own}
    table = source.table() if isinstance(source, Experiment) else source
    base = load(table, {**shared, "baseline": "none"}).table()
    runs = math.prod(map(len, vary.values())) * len(seeds)
    require(runs <= MOST, "--vary and --seeds", f"make {MOST:,} runs at most", runs)
    where = None if data_root is None else str(data_root)
    return Plan(base, own, vary, seeds, find_arm(arms_of(vary), against).name, where)


def check(plan: Plan) -> None:
    """Refuse a plan of which a run could not be carried out, as far as can be told. Errors: HoraeError."""
    data_root = None if plan.data_root is None else Path(plan.data_root)
    found = {(arm.name, seed): plan.experiment(arm, seed) for seed in plan.seeds for arm in plan.arms}
    seen: dict[str, str] = {}
    for arm in plan.arms:
        experiment = found[arm.name, plan.seeds[0]]
        same = seen.setdefault(dumps(experiment.table()), arm.name)
        if same != arm.name:
            raise ConfigError(f"the arms {same} and {arm.name} are one and the same experiment; leave one out")
        people = experiment.parts["population"]
        if hasattr(people, "missing") and (words := people.missing(data_root)):
            raise DataError(f"arm {arm.name}: {words}")
        most = getattr(people, "clients", experiment.participants)
        field, remedy = f"arm {arm.name}: participants", "lower participants or raise population.clients"
        require(experiment.participants <= most, field, f"be <= {most} clients", experiment.participants, remedy)


def write(plan: Plan, directory: Path) -> None:
    """Leave comparison.json. Errors: RunError."""
    write_whole(directory / FILE, json.dumps(plan.table(), indent=2) + "\n")


def read(directory: Path) -> Plan:
    """The plan of a directory. Errors: RunError if there is none, or a broken one."""
    try:
        table = json.loads((directory / FILE).read_text(encoding="utf-8"))
        plan = Plan(*(table[key] for key in ("base", "settings", "vary", "seeds", "against", "data_root", "horae")))
        find_arm(plan.arms, plan.against)
        return plan
    except FileNotFoundError:
        raise RunError(f"there is no comparison in {directory}: it has no {FILE}; check the path") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, HoraeError) as error:
        raise RunError(f"cannot read {directory / FILE}: {error}; was it changed by hand?") from None


def same(plan: Plan, source: str | Path | None, settings: Mapping[str, Any], vary: Vary, seeds: list[int]) -> None:
    """Refuse to go on with another comparison than the one begun; what is not said (none, empty) is the same.

    Errors: ConfigError for the first difference.
    """
    wanted = make(plan.base if source is None else source, settings, vary or plan.vary, seeds or plan.seeds)
    pairs: list[tuple[str, Any, Any]] = differences(dict(plan.vary), dict(wanted.vary))
    pairs += [("--seeds", plan.seeds, wanted.seeds)] if plan.seeds != wanted.seeds else []
    pairs += differences(plan.base, wanted.base)
    pairs += differences({key: plan.settings.get(key) for key in wanted.settings}, wanted.settings)
    for key, was, now in pairs:
        raise ConfigError(f"{key} should be {was!r} as when this comparison began, got {now!r}; start anew by --out")
