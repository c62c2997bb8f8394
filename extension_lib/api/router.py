"""The addresses of the API."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath
from fastapi.openapi.utils import get_openapi
from starlette.responses import FileResponse, Response, StreamingResponse

from ..compare.saved_grids import NoGrid, SavedGrid, grid_names
from ..compare.series import find_series
from ..config.presets import suitable
from ..config.run import Run, from_dict, merge_values, to_dict
from ..data.limits import within_limits
from ..host import Host
from ..overnight.adding import add_run, duplicate, require_possible
from ..overnight.outcome import read_outcome, sweep_names, use
from ..overnight.queue import Queue, queue_of
from ..overnight.row import OVER, Row
from ..overnight.rules import Rules, read_rules, write_rules
from ..overnight.sweep import add_sweep, axes_of
from ..overnight.worker import wake
from ..runs.start import workspace_for
from ..settings import SettingError, build
from ..support.disk import checked_file_name
from ..workspaces import rearrange
from ..workspaces.workspace import (
    COMPARED,
    Workspace,
    WorkspaceError,
    create_workspace,
    list_workspaces,
    open_workspace,
)
from . import views
from .access import guard
from .answers import Json, Missing, Route, body, only
from .comparisons import Comparisons, series_of
from .follow import stream

PREFIX = "/darkroom/api"
Body = dict[str, Any]
Id = InPath(ge=1, le=2**31, description="The number of a job.")
EXAMPLE = {"settings": {"output": {"name": "ghost"}, "concepts": [{"folder": "/pictures/ghost"}],
                        "method": {"name": "lora", "rank": 16}, "training": {"steps": 800}}}


def sends(example: Body) -> Body:
    """What the description of the API says of a body."""
    content = {"application/json": {"schema": {"type": "object"}, "example": example}}
    return {"requestBody": {"content": content, "required": False}}


def make_router(host: Host, logins: Mapping[str, str] | None = None) -> APIRouter:
    """logins: passwords by user; none where the server itself asks for one, or nobody."""
    router = APIRouter(prefix=PREFIX, route_class=Route, dependencies=[Depends(guard(logins or {}))],
                       default_response_class=Json, tags=["Darkroom"])
    for add in (add_settings, add_workspaces, add_jobs, add_queue, add_files, add_comparisons):
        add(router, host)

    @router.get("/openapi.json", summary="The description of this API")
    def described() -> Response:
        return Json(get_openapi(title="Darkroom", version="1", routes=router.routes))

    return router


# ---- settings


def add_settings(router: APIRouter, host: Host) -> None:
    @router.get("/schema", summary="Every setting, by section")
    def schema() -> Response:
        return Json(views.schema())

    @router.get("/checkpoints", summary="The checkpoints that can be trained on")
    def checkpoints() -> Response:
        current = host.current()
        return Json([{"title": one.title, "loaded": bool(current and current.path == one.path)}
                     for one in host.checkpoints()])


def run_from(given: Any, host: Host, before: Run | None = None) -> Run:
    """The settings over those of the workspace, or over what suits the checkpoint. Raises DarkroomError."""
    if not isinstance(given, Mapping):
        raise SettingError("settings must be an object of sections, such as {\"training\": {\"steps\": 5}}.")
    if before:
        return within_limits(before.with_values(given), host.folders)
    asked = from_dict(given)
    current = host.current()
    if not asked.base.checkpoint and current:
        given = merge_values(given, {"base": {"checkpoint": current.title}})
        asked = from_dict(given)
    run = suitable(host, asked.method.name, asked.base).with_values(given)
    return within_limits(run, host.folders)


# ---- workspaces


def workspace_named(name: str, host: Host) -> Workspace:
    """Raises Missing, NameProblem."""
    try:
        return open_workspace(host.folders.workspaces, name)
    except WorkspaceError:
        raise Missing(f"There is no workspace {name[:80]!r}.") from None


def add_workspaces(router: APIRouter, host: Host) -> None:
    root = host.folders.workspaces

    @router.get("/workspaces", summary="All workspaces, the newest first")
    def listed() -> Response:
        return Json([views.workspace_said(space) for space in list_workspaces(root)])

    @router.post("/workspaces", summary="Create a workspace", openapi_extra=sends({"name": "ghost", **EXAMPLE}),
                 status_code=201)
    def create(given: Body = Depends(body)) -> Response:
        only(given, name=str, settings=dict)
        run = run_from(given.get("settings", {}), host)
        name = checked_file_name(given.get("name"), "workspace's name")
        run = run if run.output.name else run.with_values({"output": {"name": name}})
        return Json(views.workspace_said(create_workspace(root, name, run)), 201)

    @router.get("/workspaces/{name}", summary="A workspace with its settings and files")
    def show(name: str) -> Response:
        space = workspace_named(name, host)
        return Json({**views.workspace_said(space), "settings": to_dict(space.read_run()),
                     "files": views.files_of(space)})

    @router.patch("/workspaces/{name}", summary="Change settings of a workspace", openapi_extra=sends(EXAMPLE))
    def change(name: str, given: Body = Depends(body)) -> Response:
        space = workspace_named(name, host)
        space.save_run(run_from(only(given, settings=dict).get("settings", {}), host, space.read_run()))
        return show(name)

    @router.delete("/workspaces/{name}", summary="Move a workspace to the trash")
    def delete(name: str) -> Response:
        return Json({"trash": rearrange.move_to_trash(workspace_named(name, host)).name})


# ---- jobs


def add_jobs(router: APIRouter, host: Host) -> None:
    queue, folders = queue_of(host.folders), host.folders

    def said(row: Row, status: int = 200) -> Response:
        wake(host)
        return Json(views.job_in_full(queue.row(row.id), queue.rows(), folders), status)

    def said_after(act: Callable[[Queue, int], Row]) -> Callable[[int], Response]:
        return lambda number: said(act(queue, number))

    @router.get("/jobs", summary="The queue: what runs, what waits, what is over")
    def listed() -> Response:
        return Json(views.jobs_said(queue.rows(), folders))

    @router.post("/jobs", summary="Add a job, or a sweep, to the queue", status_code=202,
                 openapi_extra=sends({**EXAMPLE, "start": "", "sweep": {"training": {"seed": [0, 1]}}}))
    def create(given: Body = Depends(body)) -> Response:
        only(given, settings=dict, workspace=str, start=str, sweep=dict)
        rows = added(given, host)
        wake(host)
        known = queue.rows()
        return Json({"jobs": [views.job_in_full(row, known, folders) for row in rows]}, 202)

    @router.get("/jobs/{id}", summary="A job with its settings")
    def show(id: int = Id) -> Response:
        return said(queue.row(id))

    @router.get("/jobs/{id}/events", summary="What happens in a job, as server-sent events")
    def events(id: int = Id, after: int = Query(0, ge=0, le=2**31), wait: bool = True) -> Response:
        queue.row(id)
        return StreamingResponse(stream(queue, id, folders, after, wait), media_type="text/event-stream",
                                 headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    for verb, act, summary in ACTS:
        add_act(router, verb, summary, said_after(act))

    @router.post("/jobs/{id}/duplicate", summary="Add the same job once more", status_code=202)
    def copy(id: int = Id) -> Response:
        return said(duplicate(queue.row(id), host), 202)

    @router.post("/jobs/{id}/move", summary="Put a job before another, or at the end",
                 openapi_extra=sends({"before": 2}))
    def move(id: int = Id, given: Body = Depends(body)) -> Response:
        before = only(given, before=(int, type(None))).get("before")
        if before is not None and not 0 < before <= 2**31:
            raise SettingError("before must be the number of a job.")
        return said(queue.move(id, before))

    @router.delete("/jobs/{id}", summary="Remove a job that is over; one that waits is cancelled")
    def delete(id: int = Id) -> Response:
        row = queue.row(id)
        if row.state not in OVER:
            return said(queue.cancel(id))
        queue.forget(id)
        return Json({"removed": id})


def added(given: Body, host: Host) -> list[Row]:
    """Raises DarkroomError."""
    named = given.get("workspace")
    space = workspace_named(named, host) if named else None
    run = run_from(given.get("settings", {}), host, space.read_run() if space else None)
    run = require_possible(run, host)  # before a workspace is made for it
    space = space or workspace_for(run, host)
    if sweep := given.get("sweep"):
        axes = axes_of(sweep)
        for one in axes:
            if one.key.startswith("concepts."):
                for value in one.values:
                    within_limits(run.with_values({"concepts": [{"folder": value}]}), host.folders)
        return add_sweep(run, host, space, axes)
    return [add_run(run, host, space, given.get("start", ""))]


ACTS: tuple[tuple[str, Callable[[Queue, int], Row], str], ...] = (
    ("pause", Queue.hold, "Set a job aside; what it has learned is kept"),
    ("continue", Queue.again, "Let a job wait again that was set aside, failed or cancelled"),
    ("cancel", Queue.cancel, "Take a job out; what it has learned is kept in its workspace"),
    ("stop", Queue.stop, "End a running job after its step and save its file"),
    ("discard", Queue.discard, "End a running job; what it has learned since its last save is dropped"))


def add_act(router: APIRouter, verb: str, summary: str, act: Callable[[int], Response]) -> None:
    @router.post(f"/jobs/{{id}}/{verb}", summary=summary, name=verb)
    def do(id: int = Id) -> Response:
        return act(id)


# ---- the queue and its sweeps


def add_queue(router: APIRouter, host: Host) -> None:
    queue = queue_of(host.folders)

    @router.get("/queue", summary="Whether the queue runs, and its rules")
    def show() -> Response:
        return Json({"stopped": bool(queue.fact("stopped")), "rules": asdict(read_rules(queue))})

    @router.patch("/queue", summary="Stop the queue, let it go on, or change its rules",
                  openapi_extra=sends({"stopped": False, "rules": {"begin": "22:00", "end": "7:00"}}))
    def change(given: Body = Depends(body)) -> Response:
        only(given, stopped=bool, rules=dict)
        if "rules" in given:
            write_rules(queue, build(Rules, {**asdict(read_rules(queue)), **given["rules"]}, "rules"))
        if "stopped" in given:
            queue.note(stopped=given["stopped"])
        wake(host)
        return show()

    @router.get("/sweeps", summary="The sweeps that are over, the newest first")
    def sweeps() -> Response:
        return Json(sweep_names(host.folders))

    @router.get("/sweeps/{name}", summary="The table of a sweep")
    def sweep(name: str) -> Response:
        outcome = read_outcome(checked_file_name(name), host.folders)
        if outcome is None:
            raise Missing(f"There is no sweep {name[:80]!r} that is over.")
        return Json({key: value for key, value in asdict(outcome).items() if key != "folder"})

    @router.post("/sweeps/{name}/use/{id}", summary="Make a run of a sweep the workspace's own")
    def choose(name: str, id: int = Id) -> Response:
        outcome = read_outcome(checked_file_name(name), host.folders)
        if outcome is None:
            raise Missing(f"There is no sweep {name[:80]!r} that is over.")
        return Json({"workspace": outcome.workspace, "files": [path.name for path in use(outcome, id, host)]})


# ---- files and comparisons


def add_files(router: APIRouter, host: Host) -> None:
    @router.get("/files", summary="The files that a prompt can use, with their copies by step")
    def listed() -> Response:
        return Json([views.file_said(series) for series in find_series(host.folders)])

    @router.get("/files/{kind}/{name}", summary="A file", response_class=FileResponse)
    def read(kind: str, name: str, step: str = "last") -> Response:
        path = dict(series_of(name, kind, host).copies).get(step)
        if path is None or not host.folders.hold(path):
            raise Missing(f"{name[:80]!r} has no copy of step {step[:20]!r}.")
        return FileResponse(str(path), filename=path.name)


def add_comparisons(router: APIRouter, host: Host) -> None:
    comparisons = Comparisons(host)

    def found(name: str) -> SavedGrid:
        try:
            return comparisons.read(name)
        except NoGrid as error:
            raise Missing(str(error)) from None

    @router.get("/comparisons", summary="The comparisons, the newest first")
    def listed() -> Response:
        return Json(grid_names(host.folders.workspaces / COMPARED))

    @router.post("/comparisons", summary="Draw weight against training step", status_code=202,
                 openapi_extra=sends({"file": "ghost", "prompts": ["a zwx ghost"], "weights": [0, 1], "seeds": [1]}))
    def create(given: Body = Depends(body)) -> Response:
        return Json(comparisons.said(comparisons.start(given)), 202)

    @router.get("/comparisons/{name}", summary="A comparison, and how far it is")
    def show(name: str) -> Response:
        found(name)
        return Json(comparisons.said(name))

    @router.get("/comparisons/{name}/{cell}", summary="A picture of a comparison")
    def picture(name: str, cell: int = InPath(ge=0, le=100_000)) -> Response:
        grid = found(name)
        try:
            grid.open(cell)  # it is a picture, and in the grid's folder
        except NoGrid as error:
            raise Missing(str(error)) from None
        return FileResponse(str(grid.folder / grid.at(cell).file))

    @router.post("/comparisons/{name}/stop", summary="Draw no more; what is drawn stays")
    def stop(name: str) -> Response:
        found(name)
        comparisons.stopped.add(name)
        return Json(comparisons.said(name))
