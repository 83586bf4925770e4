"""Upstream's job configurations in our words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from horae.errors import DataError, brief, one_line

KINDS = {
    "femnist": "femnist",
    "openimg": "openimage",
    "google_speech": "speech",
    "amazon": "reviews",
    "reddit": "reddit",
    "blog": "reddit",
    "stackoverflow": "reddit",
}
MODELS = {
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "mobilenet": "mobilenetv2",
    "mobilenet_v2": "mobilenetv2",
    "shufflenet_v2_x2_0": "shufflenetv2",
    "albert-base-v2": "albert",
    "lr": "logistic",
    "logistic_regression": "logistic",
}
ALGORITHMS = {
    "fed-avg": "fedavg",
    "fed-yogi": "fedyogi",
    "yogi": "fedyogi",
    "fed-prox": "fedprox",
    "prox": "fedprox",
    "q-fedavg": "qfedavg",
    "qfedavg": "qfedavg",
}
OVERCOMMIT, PARTICIPANTS, ROUNDS = 1.3, 4, 50  # FedScale's defaults
# FedScale's defaults that no configuration has to name: LR x 0.98 every 10 rounds, SGD with momentum (Adam for texts)
TRAINING = {"schedule": "step", "decay": 0.98, "decay_every": 10, "min_lr": 5e-5}
SGD = {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4, "steps": 10, "batch": 30}
ADAM = {"optimizer": "adam", "lr": 4e-5, "weight_decay": 1e-2, "steps": 10, "batch": 30}
NUMBERS = {
    "learning_rate": ("training", "lr", float),
    "min_learning_rate": ("training", "min_lr", float),
    "decay_factor": ("training", "decay", float),
    "decay_round": ("training", "decay_every", int),
    "local_steps": ("training", "steps", int),
    "batch_size": ("training", "batch", int),
    "eval_interval": ("evaluation", "every", int),
    "num_participants": ("", "participants", int),
    "overcommitment": ("", "overcommit", float),
    "sample_seed": ("", "seed", int),
}
_HOME = re.compile(r"^\$\{?FEDSCALE_HOME\}?/(benchmark/)?(dataset/)?(data/)?")  # the data directory, there


def experiment_from(job: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """An experiment as a table, and the settings that have no counterpart. Errors: DataError.

    Reading: no gradient_policy is FedAvg, as upstream; the clock is FedScale's; where it splits is Auxo's criterion and
    not the fixed rounds of upstream's config.yml.
    """
    left = dict(job)
    kind = _known(left, "data_set", KINDS, "femnist")
    texts = kind in ("reddit", "reviews")
    table: dict[str, Any] = {"name": _name(left.pop("job_name", "upstream")), "seed": 0}
    table |= {"participants": PARTICIPANTS, "overcommit": OVERCOMMIT, "baseline": "single", "budget": {}}
    table["population"] = {"name": "fedscale", "kind": kind, "directory": _directory(left, kind)}
    for family, key in (("devices", "device_conf_file"), ("availability", "device_avail_file")):
        if left.get(key):
            table[family] = {"name": "trace", "file": _place(left.pop(key), key)}
    model = _known(left, "model", MODELS, "shufflenetv2")
    table["model"] = {"name": "sparse-logistic" if model == "logistic" and texts else model}
    table["training"] = {**TRAINING, **(ADAM if left.pop("task", "") == "nlp" else SGD)}
    table["algorithm"] = {"name": _known(left, "gradient_policy", ALGORITHMS, "fedavg")}
    table |= {"clustering": {"name": "auxo"}, "cost": {"name": "fedscale"}, "evaluation": {}}
    for key, (family, field, kind_of) in NUMBERS.items():
        if key in left:
            (table[family] if family else table)[field] = _number(left.pop(key), key, kind_of)
    table["training"]["min_lr"] = min(table["training"]["min_lr"], table["training"]["lr"])
    rounds = _number(left.pop("rounds", ROUNDS), "rounds", int)
    table["budget"] = {"participations": rounds * table["participants"]}
    return table, sorted(left)


def _known(left: dict[str, Any], key: str, names: Mapping[str, str], default: str) -> str:
    """Our name for theirs; one that we do not have is refused."""
    value = left.pop(key, None)
    if value in (None, "", "None"):
        return default
    name = names.get(str(value).lower())
    if name is None:
        raise DataError(f"{key}: there is no {brief(value, 40)} here; known: {one_line(', '.join(names), 160)}")
    return name


def _number(value: Any, key: str, kind: type) -> Any:
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{key} should be a number, got {brief(value, 40)}") from None
    if isinstance(value, bool) or (kind is int and float(value) != number):
        raise DataError(f"{key} should be a whole number, got {brief(value, 40)}")
    return number


def _name(value: Any) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", str(value))[:60].strip("-.") or "upstream"


def _place(value: Any, key: str) -> str:
    """A path below our data directory, for one below theirs; another stays as it is."""
    path = _HOME.sub("", str(value)).rstrip("/")
    if "$" in path or not path:
        raise DataError(f"{key} should be a path, got {brief(value, 60)}; write it out")
    return path


def _directory(left: dict[str, Any], kind: str) -> str:
    """The directory that holds client_data_mapping."""
    mapping = left.pop("data_map_file", None)
    directory = left.pop("data_dir", None)
    if mapping:
        return _place(str(mapping).rpartition("/client_data_mapping/")[0] or kind, "data_map_file")
    return _place(directory, "data_dir") if directory and _HOME.sub("", str(directory)) else kind
