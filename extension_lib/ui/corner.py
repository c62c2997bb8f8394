"""The newest job in a corner of the page, whichever tab is in front.

It has a route of its own, because Gradio takes seconds to build its tabs after a reload, and the job should be seen at
once.
"""

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from ..runs import job as jobs
from .views.job_view import short_panel

PATH = "/darkroom/job"  # javascript/darkroom_corner.js asks here


def route() -> Route:
    """It asks for no login of its own: standalone the door does, and a WebUI with a login goes without it."""
    return Route(PATH, newest)


def newest(request: Request) -> HTMLResponse:
    """The newest job, running or not; empty where there is none."""
    return HTMLResponse(short_panel(jobs.jobs[-1]) if jobs.jobs else "", headers={"Cache-Control": "no-store"})
