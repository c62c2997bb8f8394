"""Pictures as data URLs, because each version of Gradio serves files under other addresses."""

import base64
import io
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ...data.pictures import PictureError, load_picture
from .html import html

THUMBNAIL = 56  # pixels


def data_url(image: Any, side: int | None = None, kind: str = "JPEG") -> str:
    """A PIL image as a data URL, reduced to this side in pixels, if one is given."""
    small, data = image.convert("RGB"), io.BytesIO()
    if side:
        small.thumbnail((side, side))
    small.save(data, kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def small_picture(path: Path) -> Markup:
    try:
        image = load_picture(path, 2 * THUMBNAIL)
    except PictureError:
        return html('<span class="darkroom-thumb darkroom-broken" title="{}">?</span>', path.name)
    return html('<img class="darkroom-thumb" src="{url}" alt="{name}" title="{name}">',
                url=data_url(image, 2 * THUMBNAIL), name=path.name)
