"""MLflow's database in a file, by its client alone: no server, and nothing of the process that trains is touched."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any, ClassVar

from horae.errors import require
from horae.settings import flat
from horae.trackers.common import Point, Run

PARAMS, METRICS, LONGEST = 100, 1000, 6000  # in one call; letters of a parameter


@dataclass(frozen=True)
class MLflow:
    """A run in SQLite, to look at with `mlflow ui --backend-store-uri sqlite:///DIR/mlflow.db`.

    directory: where `mlflow.db` lies, "" is `mlflow` in the run's directory; several runs may share one. project:
    MLflow's experiment. run: what it is called there, before its clustering and seed ("": the experiment's name). The
    time of a metric is the run's own clock.
    """

    directory: str = ""
    project: str = "horae"
    run: str = ""
    needs: ClassVar[str] = "mlflow"
    environment: ClassVar[dict[str, str]] = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

    def __post_init__(self) -> None:
        require(bool(self.project.strip()), "trackers.project", "name a project", self.project)

    def open(self, run: Run) -> tuple[Any, str]:
        """A client, and the run's id: the one that bears its key, or a new one with the experiment as parameters."""
        from mlflow.tracking import MlflowClient

        place = run.place(self.directory, "mlflow")
        place.mkdir(parents=True, exist_ok=True)
        client = MlflowClient(tracking_uri=f"sqlite:///{place / 'mlflow.db'}")
        project = self._project(client, place)
        found = client.search_runs([project], f"tags.horae = '{run.key}'")
        if found:
            client.update_run(found[0].info.run_id, status="RUNNING")
            return client, found[0].info.run_id
        made = client.create_run(project, tags={"horae": run.key}, run_name=run.title(self.run)).info.run_id
        self._describe(client, made, run)
        return client, made

    def tell(self, opened: tuple[Any, str], points: Sequence[Point]) -> None:
        """A metric for each number."""
        from mlflow.entities import Metric

        client, run = opened
        found = [Metric(name, value, round(p.at_s * 1000), p.step) for p in points for name, value in p.numbers.items()]
        for first in range(0, len(found), METRICS):
            client.log_batch(run, metrics=found[first : first + METRICS])

    def close(self, opened: tuple[Any, str], ended: bool) -> None:
        """Say whether it ended."""
        client, run = opened
        client.set_terminated(run, "FINISHED" if ended else "KILLED", round(time.time() * 1000))

    def _project(self, client: Any, place: File) -> str:
        found = client.get_experiment_by_name(self.project)
        if found is not None:
            return str(found.experiment_id)
        return str(client.create_experiment(self.project, artifact_location=(place / "artifacts").as_uri()))

    def _describe(self, client: Any, run_id: str, run: Run) -> None:
        from mlflow.entities import Param

        said = {
            key: value if isinstance(value, str) else json.dumps(value) for key, value in flat(run.experiment).items()
        }
        params = [Param(key, words[:LONGEST]) for key, words in said.items()]
        for first in range(0, len(params), PARAMS):
            client.log_batch(run_id, params=params[first : first + PARAMS])
