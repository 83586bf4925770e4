"""A guidance for a comparison: it is for the arms whose pruning takes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from horae.errors import ConfigError
from horae.experiment import Experiment, find, load

GUIDANCE = "pruning.guidance"


def without(settings: Mapping[str, Any], changes: dict[str, Any], pruning: str) -> dict[str, Any]:
    """An arm's changes, less a guidance from the common settings that its pruning does not take."""
    member = changes.get("pruning.name", pruning)
    if GUIDANCE in settings and not takes_one(member):
        return {key: value for key, value in changes.items() if key != GUIDANCE}
    return changes


def takes_one(pruning: str) -> bool:
    """True for a pruning that takes a guidance. Errors: ConfigError where there is none of that name."""
    return any(field.name == "guidance" for field in fields(find("pruning", pruning)))


def check_taken(settings: Mapping[str, Any], arms: Sequence[Mapping[str, Any]], source: Any) -> None:
    """Refuse a guidance in the common settings that no arm takes. Errors: ConfigError."""
    if GUIDANCE not in settings:
        return
    table = source.table() if isinstance(source, Experiment) else source
    base = load(table, {key: value for key, value in settings.items() if key == "pruning.name"}).names()["pruning"]
    names = [arm.get("pruning.name", base) for arm in arms]
    if not any(map(takes_one, names)):
        known, remedy = ", ".join(dict.fromkeys(names)), "add --set pruning.name=autoflip, or an arm that has it"
        raise ConfigError(f"pruning.guidance goes with a pruning that takes one, got {known}; {remedy}")


def check_fits(experiment: Experiment, data_root: Path | None) -> None:
    """Refuse a guidance that is not there, or of another model, before any run is started. Errors: HoraeError."""
    if getattr(experiment.parts["pruning"], "guidance", ""):
        experiment.world(data_root).trainer.close()
