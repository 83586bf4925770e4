"""The addresses of the page: the page itself, views as JSON, and one stream of views as they change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from typing import Any

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from horae.errors import ConfigError, HoraeError
from horae.server import views
from horae.server.guard import App, guarded
from horae.server.watch import Watch
from horae.server.why import Explainer

KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
EVERY_S, BEAT_S, MOST_STREAMS = 1.0, 15.0, 16


def make_app(watch: Watch, port: int, stopping: Callable[[], bool] = lambda: False) -> App:
    """The page about these runs, for requests to this port of this machine. stopping: whether streams should end."""
    explainer, open_streams = Explainer(), [0]

    def show_runs(request: Request) -> Response:
        return _json(lambda: _view(watch, []))

    def show_run(request: Request) -> Response:
        return _json(lambda: _view(watch, [_asked(request)]))

    def compare(request: Request) -> Response:
        return _json(lambda: _view(watch, request.query_params.getlist("run")[:2]))

    def explain(request: Request) -> Response:
        asked = request.query_params
        client, cohort = asked.get("client"), asked.get("cohort")
        return _json(lambda: explainer.answer(watch.get(_asked(request)), client, cohort))

    async def live(request: Request) -> Response:
        if open_streams[0] >= MOST_STREAMS:
            return Response("horae serve: too many pages are open\n", 503, media_type="text/plain")
        names = request.query_params.getlist("run")[:2]

        async def counted() -> AsyncIterator[str]:
            open_streams[0] += 1
            try:
                async for text in stream(watch, names, stopping):
                    yield text
            finally:
                open_streams[0] -= 1

        return StreamingResponse(counted(), media_type="text/event-stream")

    routes = [
        *(Route(address, _static(name)) for address, name in _pages()),
        Route("/api/runs", show_runs), Route("/api/run", show_run), Route("/api/compare", compare),
        Route("/api/explain", explain), Route("/api/live", live),
    ]  # fmt: skip
    return guarded(Starlette(routes=routes), port)


async def stream(watch: Watch, names: list[str], stopping: Callable[[], bool]) -> AsyncIterator[str]:
    """Server-sent events: a view at once, and again whenever something changed; a beat where nothing does."""
    sent, quiet_s = "", 0.0
    while not stopping():
        text = await anyio.to_thread.run_sync(_written, watch, names)
        if text != sent:
            sent, quiet_s = text, 0.0
            yield f"event: view\ndata: {text}\n\n"
        elif quiet_s >= BEAT_S:
            quiet_s = 0.0
            yield ": still here\n\n"
        for _ in range(4):
            if not stopping():
                await anyio.sleep(EVERY_S / 4)
        quiet_s += EVERY_S


def _view(watch: Watch, names: list[str]) -> dict[str, Any]:
    """The list of runs, one run, or two beside each other. Errors: ConfigError for a run that is not there."""
    with watch.lock:
        if not names:
            return views.runs(watch)
        if len(names) == 1:
            return views.run(watch.get(names[0]))
        return views.beside(watch.get(names[0]), watch.get(names[1]))


def _written(watch: Watch, names: list[str]) -> str:
    try:
        return json.dumps(_view(watch, names), allow_nan=False)
    except HoraeError as error:
        return json.dumps({"error": str(error)})


def _json(make: Callable[[], dict[str, Any]]) -> Response:
    """A view, or in one line why there is none."""
    try:
        return JSONResponse(make())
    except ConfigError as error:
        return JSONResponse({"error": str(error)}, 404)
    except (HoraeError, OSError) as error:
        return JSONResponse({"error": str(error)}, 422)


def _asked(request: Request) -> str:
    return str(request.query_params.get("run", ""))


def _pages() -> list[tuple[str, str]]:
    """Every file of the page by its address; there are no others."""
    names = sorted(file.name for file in files("horae.server").joinpath("static").iterdir())
    return [("/" if name == "index.html" else f"/{name}", name) for name in names if name.rpartition(".")[2] in KINDS]


def _static(name: str) -> Callable[[Request], Response]:
    data = files("horae.server").joinpath("static", name).read_bytes()
    kind = KINDS[name.rpartition(".")[2]]

    def answer(request: Request) -> Response:
        return Response(data, media_type=kind)

    return answer
