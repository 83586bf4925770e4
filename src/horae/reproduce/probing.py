"""One seed of a probe in its own process: `python -m horae.reproduce.probing FILE SIZE SEED PLACE [DATA_ROOT]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from horae.compare.bars import Bars
from horae.compare.processes import Job, carry_out
from horae.errors import HoraeError, RunError, Stopped
from horae.files import claimed, is_free, write_whole
from horae.reproduce.claims import Reproduction
from horae.reproduce.measures import Probed, read_table
from horae.reproduce.probes import Probe
from horae.reproduce.reading import read

FILE = "probe.json"


@dataclass(frozen=True)
class Order:
    """What is to be measured, and where. digest: of the probe's settings."""

    reproduction: Reproduction
    size: str
    seeds: Sequence[int]
    out: Path
    data_root: Path | None

    @property
    def probe(self) -> Probe:
        """It, which has to be there."""
        probe = self.reproduction.sizes[self.size].probe
        assert probe is not None
        return probe

    def jobs(self) -> dict[int, Job]:
        """One for each seed."""
        file, out = self.reproduction.file, self.out
        return {
            seed: Job("probe", seed, file, out / "runs" / f"seed-{seed}", out / "logs" / f"seed-{seed}.txt")
            for seed in self.seeds
        }

    def command(self, job: Job) -> list[str]:
        """What measures one seed."""
        words = [str(job.experiment), self.size, str(job.seed), str(job.directory)]
        words += [] if self.data_root is None else [str(self.data_root)]
        return [sys.executable, "-m", "horae.reproduce.probing", *words]


def measure(order: Order, at_once: int, console: Console) -> tuple[Probed, dict[int, str]]:
    """All seeds, less what was measured before; what was found, and why a seed failed. Errors: HoraeError, Stopped."""
    _claim(order)
    with claimed(order.out):
        write_whole(order.out / FILE, json.dumps(_identity(order), indent=2) + "\n")
        jobs = order.jobs()
        todo = [job for job in jobs.values() if not job.finished]
        with Bars(console, {}, 0, quiet=True) as bars:
            failed, stopped = carry_out(todo, at_once, order.command, bars)
        if stopped:
            done = sum(job.finished for job in jobs.values())
            raise Stopped(f"stopped with {done} of {len(jobs)} seeds measured")
        found = {seed: read_table(job.directory / "summary.json") for seed, job in jobs.items() if job.finished}
        reasons = {job.seed: why for job, why in failed.items()}
        return Probed(list(order.seeds), {seed: table["arms"] for seed, table in found.items()}), reasons


def _identity(order: Order) -> dict[str, str]:
    return {"name": order.reproduction.title, "size": order.size, "of": order.reproduction.sizes[order.size].digest}


def _claim(order: Order) -> None:
    """Refuse a directory of something else. Errors: RunError."""
    if is_free(order.out):
        return
    if read_table(order.out / FILE) != _identity(order):
        raise RunError(f"{order.out} holds something else, or an older state of the file; choose another --out")


def main(words: Sequence[str]) -> int:
    """Measure and write one seed; what goes wrong is one line on stderr."""
    file, size, seed, place, *data = words
    try:
        probe = read(Path(file)).sizes[size].probe
        assert probe is not None
        arms = probe.measure(int(seed), Path(data[0]) if data else None)
        directory = Path(place)
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(directory / "summary.json", json.dumps({"seed": int(seed), "arms": arms}, indent=2) + "\n")
    except HoraeError as error:
        sys.stderr.write(f"horae: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
