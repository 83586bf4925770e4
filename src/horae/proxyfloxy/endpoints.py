"""Endpoints as ProxyFloxy's YAML files name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from horae.errors import ConfigError, brief, did_you_mean, one_line, require
from horae.files import read_yaml

CONTROLLER = "controller"
COMPUTE, OLD_COMPUTE, STORE = "globus-compute-id", "funcx-id", "proxystore-id"


@dataclass(frozen=True)
class Endpoint:
    """Where a model is trained, or, as `controller`, averaged. compute, store: ids, or None for this machine."""

    name: str
    compute: str | None = None
    store: str | None = None


@dataclass(frozen=True)
class Endpoints:
    """Those that train, in the file's order, and the controller if the file names one."""

    workers: tuple[Endpoint, ...]
    controller: Endpoint | None = None

    @property
    def local(self) -> bool:
        """True where the endpoints are workers of this machine: all ids are null."""
        return self.workers[0].compute is None

    @property
    def stores(self) -> tuple[str, ...]:
        """The ids of ProxyStore endpoints, each once, the controller's first."""
        everybody = (*((self.controller,) if self.controller else ()), *self.workers)
        return tuple(dict.fromkeys(endpoint.store for endpoint in everybody if endpoint.store))


def read_endpoints(file: Path) -> Endpoints:
    """The endpoints of a file: all ids null, or none but the controller's funcx-id. Errors: ConfigError, DataError."""
    held = read_yaml(file, "name a file such as those in configs/")
    if not isinstance(held, dict) or not held:
        raise ConfigError(f"{one_line(file)} should name endpoints, each with {OLD_COMPUTE} and {STORE}")
    all_of_them = [_endpoint(file, str(name), fields) for name, fields in held.items()]
    controller = next((endpoint for endpoint in all_of_them if endpoint.name == CONTROLLER), None)
    workers = tuple(endpoint for endpoint in all_of_them if endpoint is not controller)
    if not workers:
        raise ConfigError(f"{one_line(file)} names nobody who trains; add an endpoint beside the controller")
    if controller is not None and controller.compute is not None:
        raise ConfigError(f"{one_line(file)}: the controller trains nothing; set its {OLD_COMPUTE} to null")
    ids = [value for worker in workers for value in (worker.compute, worker.store)]
    ids += [controller.store] if controller is not None else []
    if None in ids and any(ids):
        raise ConfigError(f"{one_line(file)} mixes null and non-null ids; set all of them, or none (this machine)")
    return Endpoints(workers, controller)


def _endpoint(file: Path, name: str, fields: object) -> Endpoint:
    """One entry. Errors: ConfigError."""
    where = f"{one_line(file)}: {one_line(name, 60)}"
    if not isinstance(fields, Mapping):
        raise ConfigError(f"{where} should have {OLD_COMPUTE} and {STORE}, got {brief(fields, 40)}")
    for key in map(str, fields):
        remedy = did_you_mean(key, (COMPUTE, OLD_COMPUTE, STORE))
        require(key in (COMPUTE, OLD_COMPUTE, STORE), where, "have no other fields than ids", key, remedy)
    named = [key for key in (COMPUTE, OLD_COMPUTE) if key in fields]
    if len(named) != 1:
        raise ConfigError(f"{where} should have one of {OLD_COMPUTE} and {COMPUTE}, got {'both' if named else 'none'}")
    if STORE not in fields:
        raise ConfigError(f"{where} lacks {STORE}; add it, null for this machine")
    return Endpoint(name, _id(where, named[0], fields[named[0]]), _id(where, STORE, fields[STORE]))


def _id(where: str, key: str, value: object) -> str | None:
    """A UUID, or None. Errors: ConfigError."""
    if value is None:
        return None
    try:
        return str(UUID(str(value)))
    except ValueError:
        raise ConfigError(f"{where}: {key} should be a UUID or null, got {brief(value, 50)}") from None
