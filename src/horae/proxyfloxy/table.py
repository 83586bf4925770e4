"""The rows of a sweep: upstream's columns in their order, then ours."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite, nan
from pathlib import Path

from horae.files import unwritable, write_whole

OK = "ok"


@dataclass(frozen=True)
class Row:
    """What one endpoint did in one round. Sizes are bytes as a service counts them, in base64; t_* are seconds.

    transfer_time: t_put + t_queue + t_get + t_put_update + t_get_update, each taken by one clock. t_queue: from submit
    to result by the controller's clock, less what the endpoint was busy by its own: the messages, and the wait for a
    worker. t_put: until the model is ready for all. status: ok, or why there is no update. NaN: there is none.
    """

    round: int
    endpoint_name: str
    transfer_time: float
    data_transfer_size: int
    model_param_size: int
    model_arch_size: int
    local: bool
    test_accuracy: float
    test_loss: float
    train_accuracy: float
    train_loss: float
    num_hidden_blocks: int
    store: str
    time_taken_for_process: float
    status: str = OK
    t_put: float = nan
    t_queue: float = nan
    t_get: float = nan
    t_train: float = nan
    t_put_update: float = nan
    t_get_update: float = nan
    t_agg: float = nan
    trial: int = 0
    connector: str = ""
    executor: str = ""

    @property
    def ok(self) -> bool:
        """True where an update came and was used."""
        return self.status == OK


COLUMNS = tuple(field.name for field in fields(Row))


def timed(rows: Sequence[Row], seconds: float) -> list[Row]:
    """The rows of one process, all with the time it took."""
    return [replace(row, time_taken_for_process=seconds) for row in rows]


def csv_text(rows: Sequence[Row]) -> str:
    """The rows as CSV; what there is not is left empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in asdict(row).values()] for row in rows)
    return out.getvalue()


def write_csv(file: Path, rows: Sequence[Row]) -> None:
    """Write the rows, whole or not at all; the directory is made. Errors: RunError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(file, error) from None
    write_whole(file, csv_text(rows))


def _cell(value: object) -> object:
    return "" if isinstance(value, float) and not isfinite(value) else value
