"""What a sweep is to do, as its directory says: the runs, and where they may be carried out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from horae import __version__
from horae.errors import HoraeError, RunError, brief, did_you_mean
from horae.files import write_whole
from horae.sweep.file import Where
from horae.sweep.slots import Host, Slot, slot, slots
from horae.sweep.variables import Mask, expanded, variables

FILE = "sweep.json"


@dataclass(frozen=True)
class Run:
    """One experiment on one seed. arm: its name, with what is varied; directory: the same as a file name."""

    arm: str
    directory: str
    seed: int

    @property
    def id(self) -> str:
        """What the run is called everywhere.

        >>> Run("auxo, participants=10", "auxo,participants=10", 3).id
        'auxo,participants=10/seed-3'
        """
        return f"{self.directory}/seed-{self.seed}"

    def files(self, sweep: Path) -> tuple[Path, Path, Path]:
        """Its experiment, its run directory and its log."""
        log = sweep / "logs" / f"{self.directory}-seed-{self.seed}.txt"
        return sweep / "experiments" / f"{self.id}.toml", sweep / "runs" / self.id, log


@dataclass(frozen=True)
class Plan:
    """name: the sweep's. tag: the same for no other sweep, and the name of its directory on other hosts. `${VAR}` is as
    it was written.
    """

    name: str
    tag: str
    runs: list[Run]
    where: Where
    horae: str = __version__

    @property
    def slots(self) -> list[Slot]:
        """Where runs may be."""
        return slots(self.where.slots, self.where.hosts)

    @property
    def data_root(self) -> Path | None:
        """Where data sets lie on this machine. Errors: ConfigError for a variable that is not set."""
        return Path(expanded(self.where.data_root, "data_root")) if self.where.data_root else None

    @property
    def mask(self) -> Mask:
        """Hides what `[environment]` passes on."""
        return Mask(variables(self.where.environment))

    def host(self, name: str) -> Host:
        """A host with its variables put in. Errors: ConfigError."""
        if name not in self.where.hosts:
            raise RunError(f"the sweep knows no host {brief(name, 40)}; {did_you_mean(name, self.where.hosts)}")
        return Host(**expanded(asdict(self.where.hosts[name]), f"hosts.{name}"))

    def environment(self) -> dict[str, str]:
        """What the runs are told by the environment. Errors: ConfigError."""
        return {key: expanded(value, f"environment.{key}") for key, value in self.where.environment.items()}

    def place(self, run: Run) -> str:
        """A run's directory on another host, below that host's."""
        return f"sweeps/{self.tag}/runs/{run.id}"

    def there(self, run: Run, host: str) -> str:
        """The same for people, as far as the host is known still."""
        known = self.where.hosts.get(host)
        return f"{host}:{known.directory}/{self.place(run)}" if known else f"{host}:.../{self.place(run)}"

    def write(self, directory: Path) -> None:
        """Leave sweep.json. Errors: RunError."""
        write_whole(directory / FILE, json.dumps(asdict(self), indent=2) + "\n")


def read(directory: Path) -> Plan:
    """The plan of a directory. Errors: RunError if there is none, or a broken one."""
    try:
        table = json.loads((directory / FILE).read_text(encoding="utf-8"))
        plan = Plan(
            str(table["name"]), str(table["tag"]), [Run(**run) for run in table["runs"]], _where(table["where"]),
            str(table["horae"]),
        )  # fmt: skip
        for words in plan.where.slots:
            slot(words)
        return plan
    except FileNotFoundError:
        raise RunError(f"there is no sweep in {directory}: it has no {FILE}; check the path") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, HoraeError) as error:
        raise RunError(f"cannot read {directory / FILE}: {error}; was it changed by hand?") from None


def _where(table: dict[str, Any]) -> Where:
    hosts = {name: Host(**host) for name, host in table["hosts"].items()}
    return Where(list(table["slots"]), table["data_root"], dict(table["environment"]), hosts)
