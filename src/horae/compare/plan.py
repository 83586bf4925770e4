"""What a comparison consists of: a base experiment, what is varied, the seeds; kept in comparison.json."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from horae import __version__
from horae.compare import tuning as tunings
from horae.compare.arms import Arm, Named, arms_of, arms_table, find_arm
from horae.compare.guided import check_fits, check_taken, without
from horae.compare.tuning import Settings, Tuning
from horae.compare.vary import MOST, TAKEN, Vary, word
from horae.errors import ConfigError, DataError, HoraeError, RunError, require
from horae.experiment import Experiment, load
from horae.families import check_trackers
from horae.files import write_whole
from horae.settings import differences, dumps

FILE, ARMS = "comparison.json", "arms.toml"


@dataclass(frozen=True)
class Plan:
    """base: the resolved experiment that all arms change. settings: changes that belong to a varied member.

    vary: dotted field to its values. against: the name of the arm that the others are compared with. data_root: where
    data sets lie, if that was said. named: the arms of an `--arms` file, each of which meets every choice. tuning: what
    the arms are tuned over. target: the accuracy whose reaching is measured, if that was said.
    """

    base: dict[str, Any]
    settings: dict[str, Any]
    vary: Vary
    seeds: list[int]
    against: str
    data_root: str | None
    horae: str = __version__
    named: list[Named] = field(default_factory=list)
    tuning: Tuning | None = None
    target: float | None = None

    @property
    def name(self) -> str:
        """The base experiment's."""
        return str(self.base["name"])

    @property
    def arms(self) -> list[Arm]:
        """All of them, in order."""
        return arms_of(self.vary, self.named)

    @property
    def trials(self) -> dict[str, list[Settings]]:
        """The settings that each arm tries before the reported seeds; nothing without tuning."""
        return self.tuning.trials(self.arms) if self.tuning else {}

    def experiment(self, arm: Arm, seed: int, tuned: Mapping[str, Any] | None = None) -> Experiment:
        """One run's experiment; tuned: settings on trial, or chosen. Errors: ConfigError that names the arm."""
        changes = {**self.settings, **arm.changes, **(tuned or {}), "seed": seed, "baseline": "none"}
        try:
            return load(self.base, without(self.settings, changes, self.base["pruning"]["name"]))
        except ConfigError as error:
            raise ConfigError(f"arm {arm.name}: {error}") from None

    def told(self, against: str | None, data_root: Path | None, target: float | None = None) -> Plan:
        """The same runs compared with another arm, at another target, or with their data elsewhere, if that is said."""
        against = self.against if against is None else find_arm(self.arms, against).name
        where = self.data_root if data_root is None else str(data_root)
        return replace(self, against=against, data_root=where, target=self.target if target is None else target)

    def command(self) -> str:
        """What does the comparison again, in its directory."""
        options = [("--arms", ARMS)] if self.named else []
        options += [("--vary", f"{key}={','.join(map(word, values))}") for key, values in self.vary.items()]
        options += [("--set", f"{key}={word(value)}") for key, value in self.settings.items()]
        options += [("--seeds", ",".join(map(str, self.seeds)))]
        options += [("--against", self.against)] if self.against != self.arms[0].name else []
        options += [("--target", str(self.target))] if self.target is not None else []
        if self.tuning:
            options += [("--tune", f"{key}={','.join(map(word, values))}") for key, values in self.tuning.grid.items()]
            options += [("--tune-seeds", ",".join(map(str, self.tuning.seeds)))]
            options += [("--tune-budget", str(self.tuning.budget))] if self.tuning.budget else []
        return shlex.join(["horae", "compare", "base.toml", *(words for option in options for words in option)])

    def table(self) -> dict[str, Any]:
        """What comparison.json holds."""
        return {"name": self.name, **asdict(self), "arms": [asdict(arm) for arm in self.arms]}


@dataclass(frozen=True)
class Wish:
    """What is asked for beside the experiment, its changes, arms and seeds: see `compare`."""

    against: str | None = None
    data_root: Path | None = None
    target: float | None = None
    tune: Vary = field(default_factory=dict)
    tune_seeds: Sequence[int] = ()
    tune_budget: int | None = None

    @property
    def tunes(self) -> bool:
        """True if anything is said of tuning."""
        return bool(self.tune or self.tune_seeds or self.tune_budget is not None)


def make(
    source: str | Path | Mapping[str, Any] | Experiment | None,
    settings: Mapping[str, Any],
    vary: Vary,
    seeds: list[int],
    named: Sequence[Named] = (),
    wish: Wish = Wish(),
) -> Plan:
    """A plan from options. Errors: ConfigError where a field is said twice, or the base is no experiment."""
    remedy = "try: horae compare --vary clustering=single,auxo --seeds 0-4"
    require(bool(vary or named), "--vary", "say what differs between the arms", "nothing", remedy)
    check_target(wish.target)
    _said_once(settings, vary, named, wish.tune)
    changed = {key for arm in named for key in arm.changes} | vary.keys() | wish.tune.keys()
    check_taken(settings, [arm.changes for arm in arms_of(vary, named)], source)
    own = {key: value for key, value in settings.items() if f"{key.split('.')[0]}.name" in changed}  # of a new member
    shared = {key: value for key, value in settings.items() if key not in own}
    table = source.table() if isinstance(source, Experiment) else source
    base = load(table, {**shared, "baseline": "none"}).table()
    count = math.prod(map(len, vary.values())) * max(len(named), 1)
    require(count * len(seeds) <= MOST, "--vary and --seeds", f"make {MOST:,} runs at most", count * len(seeds))
    arms = arms_of(vary, named)
    tuning = tunings.make(wish.tune, wish.tune_seeds, wish.tune_budget, arms, seeds)
    where = None if wish.data_root is None else str(wish.data_root)
    against = find_arm(arms, wish.against).name
    plan = Plan(base, own, vary, seeds, against, where, named=list(named), tuning=tuning, target=wish.target)
    trials = sum(map(len, plan.trials.values())) * len(tuning.seeds) if tuning else 0
    require(trials <= MOST, "--tune", f"make {MOST:,} runs at most", trials, "lower --tune-budget")
    return plan


def check_target(target: float | None) -> None:
    """Refuse a target that is no share."""
    fine = target is None or 0 < target <= 1
    require(fine, "--target", "be in (0, 1], a share of the samples", target, "90 % is 0.9")


def _said_once(settings: Mapping[str, Any], vary: Vary, named: Sequence[Named], tune: Vary) -> None:
    """Refuse a field that is said in two places. Errors: ConfigError."""
    remedy = "leave one of the two out"
    for key in settings:
        require(key not in vary, f"--set {key}", "be another field than those varied", key, remedy)
        require(key not in tune, f"--set {key}", "be another field than those tuned", key, remedy)
        require(key not in TAKEN, f"--set {key}", "be another field", key, TAKEN.get(key, ""))
    for arm in named:
        for key in (*arm.changes, *arm.tune):
            require(key not in vary, f"arm {arm.name}", "change other fields than those varied", key, remedy)
            require(key not in settings, f"arm {arm.name}", "change other fields than --set", key, remedy)


def check(plan: Plan) -> None:
    """Refuse a plan of which a run could not be carried out, as far as can be told. Errors: HoraeError."""
    data_root, trials = None if plan.data_root is None else Path(plan.data_root), plan.trials
    for arm in plan.arms:
        for tuned in trials.get(arm.name, []):
            plan.experiment(arm, plan.seeds[0], tuned)
    found = {(arm.name, seed): plan.experiment(arm, seed) for seed in plan.seeds for arm in plan.arms}
    seen: dict[str, str] = {}
    for arm in plan.arms:
        experiment = found[arm.name, plan.seeds[0]]
        check_trackers(experiment.trackers)
        same = seen.setdefault(dumps({**experiment.table(), "tune": arm.tune}), arm.name)
        if same != arm.name:
            raise ConfigError(f"the arms {same} and {arm.name} are one and the same experiment; leave one out")
        people = experiment.parts["population"]
        if hasattr(people, "missing") and (words := people.missing(data_root)):
            raise DataError(f"arm {arm.name}: {words}")
        most = getattr(people, "clients", 0) or experiment.participants  # 0 is as many as there are
        field, remedy = f"arm {arm.name}: participants", "lower participants or raise population.clients"
        require(experiment.participants <= most, field, f"be <= {most} clients", experiment.participants, remedy)
        check_fits(experiment, data_root)


def write(plan: Plan, directory: Path) -> None:
    """Leave comparison.json, and what the command to do it again names. Errors: RunError."""
    write_whole(directory / FILE, json.dumps(plan.table(), indent=2) + "\n")
    if not (directory / "base.toml").exists():
        write_whole(directory / "base.toml", dumps(plan.base))
    if plan.named:
        write_whole(directory / ARMS, dumps(arms_table(plan.named)))


def read(directory: Path) -> Plan:
    """The plan of a directory. Errors: RunError if there is none, or a broken one."""
    try:
        table = json.loads((directory / FILE).read_text(encoding="utf-8"))
        plan = Plan(
            **{key: table[key] for key in ("base", "settings", "vary", "seeds", "against", "data_root", "horae")},
            named=[Named(**arm) for arm in table.get("named", [])],
            tuning=Tuning(**table["tuning"]) if table.get("tuning") else None,
            target=table.get("target"),
        )
        find_arm(plan.arms, plan.against)
        return plan
    except FileNotFoundError:
        raise RunError(f"there is no comparison in {directory}: it has no {FILE}; check the path") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, HoraeError) as error:
        raise RunError(f"cannot read {directory / FILE}: {error}; was it changed by hand?") from None


def same(
    plan: Plan,
    source: str | Path | Mapping[str, Any] | Experiment | None,
    settings: Mapping[str, Any],
    vary: Vary,
    seeds: list[int],
    named: Sequence[Named] = (),
    wish: Wish = Wish(),
) -> None:
    """Refuse to go on with another comparison than the one begun; what is not said (none, empty) is the same.

    Errors: ConfigError for the first difference.
    """
    was = plan.tuning or Tuning({}, [])
    asked = replace(
        wish, against=None, tune=wish.tune or was.grid, tune_seeds=wish.tune_seeds or was.seeds,
        tune_budget=wish.tune_budget or was.budget or None,
    )  # fmt: skip
    begun = plan.base if source is None else source
    wanted = make(begun, settings, vary or plan.vary, seeds or plan.seeds, named or plan.named, asked)
    pairs: list[tuple[str, Any, Any]] = differences(dict(plan.vary), dict(wanted.vary))
    pairs += [("--seeds", plan.seeds, wanted.seeds)] if plan.seeds != wanted.seeds else []
    mine, theirs = ({arm.name: asdict(arm) for arm in one.named} for one in (plan, wanted))
    pairs += [(f"--arms {key}", was, now) for key, was, now in differences(mine, theirs)]
    pairs += [(f"--tune {key}", was, now) for key, was, now in differences(_tuned(plan), _tuned(wanted))]
    pairs += differences(plan.base, wanted.base)
    pairs += differences({key: plan.settings.get(key) for key in wanted.settings}, wanted.settings)
    for key, before, now in pairs:
        raise ConfigError(f"{key} should be {before!r} as when this comparison began, got {now!r}; start anew by --out")


def _tuned(plan: Plan) -> dict[str, Any]:
    return asdict(plan.tuning) if plan.tuning else {}
