"""The checkpoint of a run: its name, its family, what it predicts, and what a person should know of it."""

from markupsafe import Markup

from ...config.presets import about_checkpoint, checkpoint_of
from ...config.run import Run
from ...families.kind import CheckpointKind
from ...host import Host, HostError
from .html import NOTHING, html, joined
from .job_view import message

WHY_NONE = ("Weighting is none for this checkpoint by default: min-snr would leave out the noise level without any "
            "signal, which decides how bright a picture is.")


def base_html(run: Run, host: Host) -> Markup:
    if not run.base.checkpoint:
        return NOTHING
    _, kind = about_checkpoint(host, run.base)
    parts = [html('<span translate="no">{}</span>', run.base.checkpoint),
             *(html(" · <span>{}</span>", text) for text in kind_texts(kind))]
    return html('<div class="darkroom-base">{}: {}</div>{}{}', html("<b>{}</b>", "Checkpoint"), joined(parts),
                joined(message(text) for text in advice(run, host)),
                html("<p>{}</p>", WHY_NONE) if weighting_is_left_out(run, kind) else NOTHING)


def kind_texts(kind: CheckpointKind | None) -> list[str]:
    return [kind.family.title, *([kind.prediction.title] if kind.prediction else [])] if kind else []


def advice(run: Run, host: Host) -> list[str]:
    try:
        return host.advice(checkpoint_of(run.base, host))
    except HostError:
        return []


def weighting_is_left_out(run: Run, kind: CheckpointKind | None) -> bool:
    return bool(kind and kind.prediction and kind.prediction.defaults and run.noise.weighting == "none")
