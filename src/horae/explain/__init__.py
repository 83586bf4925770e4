"""Why a run went as it did: a client, a cohort, a round or the whole of it, in words and one picture."""

from __future__ import annotations

from pathlib import Path

from horae.errors import require
from horae.explain.answer import Answer
from horae.explain.canvas import save
from horae.explain.clients import explain_client
from horae.explain.cohorts import explain_cohort
from horae.explain.rounds import explain_round
from horae.explain.story import tell
from horae.report.loading import read_run

__all__ = ["Answer", "explain"]


def explain(
    directory: Path,
    *,
    client: int | None = None,
    cohort: str | None = None,
    number: int | None = None,
    out: Path | None = None,
) -> tuple[Answer, Path]:
    """The answer, and where its picture lies: `explain-<what>.png` in the run directory unless told otherwise.

    client: why it sits where it sits. cohort: why it split or did not. number: what happened in that round of the run,
    or of the cohort if one is named; counted from 1, as verdicts count. Nothing: the story of the run. Errors:
    ConfigError for a client, cohort or round that does not exist, RunError for a broken run directory.
    """
    alone = client is None or (cohort is None and number is None)
    require(alone, "--client", "stand alone", client, "leave out --cohort and --round")
    require(out is None or out.suffix == ".png", "--out", "end in .png", str(out))
    run = read_run(directory)
    if client is not None:
        answer = explain_client(run, client)
    elif number is not None:
        answer = explain_round(run, number, cohort)
    elif cohort is not None:
        answer = explain_cohort(run, cohort)
    else:
        answer = tell(run)
    file = out or directory / f"explain-{answer.what}.png"
    save(file, answer.title, answer.panels)
    return answer, file
