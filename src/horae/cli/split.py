"""Files of FedScale and upstream Auxo, made ready: mappings split by client, a job configuration as an experiment."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer

from horae.errors import DataError, RunError, brief, one_line, require
from horae.files import read_yaml, unwritable, write_whole
from horae.pure.streams import stream

Record = tuple[str, str]  # whose it is, and the text of the row as it stands in the file
JOB = Path("experiment.toml")


def data_split(
    file: Annotated[Path, typer.Argument(metavar="CSV", help="A mapping whose first column is the client.")],
    test: Annotated[float, typer.Option(help="The share of each client's samples for testing.")] = 0.2,
    val: Annotated[float, typer.Option(help="The share for validation; 0 writes no val.csv.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Which samples.")] = 0,
    *,
    out: Annotated[Path, typer.Option(help="The directory for train.csv, test.csv and val.csv.")],
) -> None:
    """Split a client_data_mapping into train, test and validation, client by client."""
    require(0 <= test < 1, "--test", "be in [0, 1)", test)
    require(0 <= val < 1 and test + val < 1, "--val", "be in [0, 1 - test)", val)
    require(seed >= 0, "--seed", "be >= 0", seed)
    header, records = read_records(file)
    where = split_records([client for client, _ in records], test, val, seed)
    parts = {"train": 0, "test": 1, **({"val": 2} if val else {})}
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from None
    for name in parts:
        taken = out / f"{name}.csv"
        if taken.exists() and taken.samefile(file):
            raise RunError(f"{one_line(taken)} is what is being split; name another directory with --out")
    for name, part in parts.items():
        rows = [text for (_, text), own in zip(records, where, strict=True) if own == part]
        write_whole(out / f"{name}.csv", "".join([header, *rows]))
        print(f"{out / f'{name}.csv'}: {len(rows)} samples")


def split_records(clients: list[str], test: float, val: float, seed: int) -> list[int]:
    """0, 1 or 2 for each row: to train on, to test on, to validate on.

    Of n samples of one client round(test n) are for testing, 1 at least where n is 2 or more, and round(val n) for
    validation; 1 at least is trained on. Source: upstream Auxo's prepare_train_test, 80 to 20. Reading: it takes the
    last fifth of each client's rows in the file; here they are drawn by seed.
    """
    own: dict[str, list[int]] = {}
    for row, client in enumerate(clients):
        own.setdefault(client, []).append(row)
    where = [0] * len(clients)
    for number, rows in enumerate(own.values()):
        n, mixed = len(rows), stream(seed, "data split", number).permutation(rows).tolist()
        n_test = min(max(round(test * n), 1 if test > 0 else 0), n - 1)
        n_val = min(round(val * n), n - 1 - n_test)
        for row in mixed[:n_test]:
            where[row] = 1
        for row in mixed[n_test : n_test + n_val]:
            where[row] = 2
    return where


def read_records(file: Path) -> tuple[str, list[Record]]:
    """The header and the rows as they stand, quotes and all, each with its client. Errors: DataError."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {one_line(file)} ({one_line(error, 80)}); name a CSV file") from None
    records: list[Record] = []
    columns = 0
    try:
        for line, row, raw in _raw(text):
            columns = columns or len(row)
            if len(row) != columns or not row[0].strip():
                why = f"{columns} columns, the first a client's id"
                raise DataError(f"{one_line(file)}, row {line}: should have {why}, got {brief(row, 60)}")
            records.append((row[0], raw))
    except csv.Error as error:
        raise DataError(f"{one_line(file)}: cannot be read as CSV ({one_line(error, 80)})") from None
    if len(records) < 2:
        raise DataError(f"{one_line(file)}: should hold a header and a sample, got {len(records)} rows")
    return records[0][1], records[1:]


def _raw(text: str) -> Iterator[tuple[int, list[str], str]]:
    """Rows with the line they end on and their text; one may go over several lines."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in StringIO(text, newline=""):
            taken.append(line)
            yield line

    reader = csv.reader(lines(), strict=True)
    for row in reader:
        raw = "".join(taken)
        taken.clear()
        if row:
            yield reader.line_num, row, raw if raw.endswith("\n") else raw + "\n"


def data_import(
    file: Annotated[Path, typer.Argument(metavar="YML", help="A FedScale or Auxo job configuration.")],
    out: Annotated[Path, typer.Option(help="The experiment file to write.")] = JOB,
) -> None:
    """Turn upstream's auxo.yml into an experiment file."""
    from horae.cli.upstream import experiment_from
    from horae.settings import dumps

    table, unknown = experiment_from(_job(file))
    if out.exists():
        raise RunError(f"{one_line(out)} is there already; name another file with --out")
    write_whole(out, f"# From {one_line(file.name)}; horae run {out.name}\n" + dumps(table))
    print(f"{out}: {one_line(table['name'])}")
    if unknown:
        print(f"not taken over: {', '.join(unknown)}")


def _job(file: Path) -> Mapping[str, Any]:
    """The settings under job_conf, a list of single keys. Errors: DataError."""
    held = read_yaml(file, "name a job configuration")
    jobs = held.get("job_conf") if isinstance(held, dict) else None
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        raise DataError(f"{one_line(file)} should hold job_conf, a list of settings, as FedScale's files do")
    return {str(key): value for job in jobs for key, value in job.items()}
