"""Who carries out a sweep: a free slot takes the next run, and everything that happens is written down."""

from __future__ import annotations

import os
import signal
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from horae.compare.processes import PARENT, Child, Job
from horae.errors import ConfigError
from horae.pids import process
from horae.settings import dumps
from horae.sweep import child, remote
from horae.sweep import state as states
from horae.sweep.making import Texts, experiment_of
from horae.sweep.plan import Plan, Run
from horae.sweep.slots import Slot
from horae.sweep.state import DONE, FAILED, STOPPED, Story
from horae.sweep.variables import expanded, variables

_STOPPED = (128 + signal.SIGINT, -signal.SIGINT, -signal.SIGTERM)  # exit codes of a run that was asked to stop


class Slots:
    """The crew of a sweep (`horae.compare.processes.Crew`).

    runs: what each job carries out. Errors of the constructor: ConfigError for a run that was begun where no slot is.
    """

    def __init__(self, plan: Plan, directory: Path, runs: Mapping[Job, Run], texts: Texts) -> None:
        self._plan, self._directory, self._runs, self._texts = plan, directory, runs, texts
        self._free, self._taken = list(plan.slots), dict[Job, Slot]()
        self._hosts = {name: plan.host(name) for name in {slot.host for slot in plan.slots} - {""}}
        self._environment, self._mask, self._remarks = plan.environment(), plan.mask, dict[Job, str]()
        told = states.read(directory)
        self._begun = {job: self._where(job, told.of(run.id)) for job, run in runs.items()}

    def pick(self, waiting: Sequence[Job], running: Mapping[Job, Child]) -> Job | None:
        """The next run for the first slot that is free; a run that was begun waits for one of the same kind."""
        for slot in self._free:
            for job in waiting:
                if slot.suits(self._begun[job]):
                    self._taken[job] = slot
                    self._free.remove(slot)
                    return job
        return None

    def start(self, job: Job) -> Child:
        """Begin a run in the slot it was picked for, or go on with it. Errors: RunError."""
        slot, run = self._taken[job], self._runs[job]
        for place in (job.log.parent, job.directory.parent):
            place.mkdir(parents=True, exist_ok=True)
        started = self._far(job, run, slot) if slot.host else self._here(job, run, slot)
        told = process(started.pid).table()
        states.tell(self._directory, "start", run=run.id, slot=slot.name, process=told)
        return started

    def ended(self, job: Job, code: int, reason: str) -> None:
        """Its slot is free again. Errors: RunError."""
        slot, run = self._taken.pop(job), self._runs[job]
        self._free.append(slot)
        self._begun[job] = slot
        asked = bool(code) and states.read(self._directory).of(run.id).asked
        state = DONE if not code else STOPPED if asked or code in _STOPPED else FAILED
        why = self._remarks.pop(job, "") if not code else "" if state == STOPPED else reason
        states.tell(self._directory, "end", run=run.id, state=state, code=code, why=self._mask.hide(why))

    def _where(self, job: Job, story: Story) -> Slot | None:
        """Where a run has to go on; None where it may begin anywhere. Errors: ConfigError where there is no such slot.

        What was begun on a host that no slot is on any more begins anew elsewhere.
        """
        begun = story.begun
        if begun is None or (begun.host and begun.host not in self._hosts):
            return None
        if not begun.host and not (job.directory / "experiment.toml").exists():
            return None
        if not any(slot.suits(begun) for slot in self._free):
            kind = ":".join(part for part in (begun.host, begun.device) if part)
            remedy = f"add such a slot, or remove {job.directory} to begin it anew"
            raise ConfigError(f"slots should have {kind}, where {self._runs[job].id} was begun; {remedy}")
        return begun

    def _settings(self, slot: Slot) -> list[str]:
        return ["--set", f"training.device={slot.device}"]

    def _here(self, job: Job, run: Run, slot: Slot) -> child.Child:
        text, command = self._texts[run], [*job.command(self._plan.data_root), *self._settings(slot)]
        told = self._full(run) if variables(text) and str(job.experiment) in command else ""
        if told:  # it has values that are written down nowhere
            command[command.index(str(job.experiment))] = "/dev/stdin"
        threads = experiment_of(text, run).training.threads
        environment = {**os.environ, PARENT: str(os.getpid()), **slot.environment(threads), **self._environment}
        return child.Child(command, environment, job.log, self._mask, told)

    def _far(self, job: Job, run: Run, slot: Slot) -> child.Line:
        host, place = self._hosts[slot.host], self._plan.place(run)
        environment = {**slot.environment(experiment_of(self._texts[run], run).training.threads), **self._environment}
        script = remote.run_script(host, place, self._full(run), self._settings(slot), environment)

        def bring() -> None:
            if why := remote.fetch(host, place, job.directory):
                self._remarks[job] = f"its files stayed there: {why}"

        return child.Line(remote.command(host, script), script, job.log, self._mask, bring)

    def _full(self, run: Run) -> str:
        """A run's experiment with the variables' values."""
        return dumps(expanded(tomllib.loads(self._texts[run]), f"run {run.arm}"))
