"""What will be trained, as HTML: a table of the concepts, and the steps that follow from them."""

from markupsafe import Markup

from ...config.run import Run
from ...data.folder import FolderError
from ...data.overview import ConceptOverview, Overview, overview
from .data_url import small_picture
from .html import NOTHING, html, joined
from .plural import counted

SHAPE = 18  # pixels of the icon that shows a size's shape


def overview_table(overview: Overview) -> Markup:
    rows = joined(concept_row(n + 1, part) for n, part in enumerate(overview.parts))
    titles = ("Concept", "Pictures", "Repeats", "Uses per epoch", "Training sizes")
    head = joined(html("<th>{}</th>", title) for title in titles)
    return html('<div class="darkroom-wide"><table class="darkroom-check-table"><thead><tr>{}</tr></thead>'
                "<tbody>{}</tbody></table></div>", head, rows)


def concept_row(number: int, part: ConceptOverview) -> Markup:
    repeats = ", ".join(f"×{n}" for n in part.repeats)
    held_out = html('<div class="darkroom-faint">{} held out</div>', part.held_out) if part.held_out else NOTHING
    cells = (number, html("{}{}", len(part.items), held_out), repeats, part.showings, size_list(part))
    numbers = joined(html("<td>{}</td>", cell) for cell in cells)
    return html('<tr class="numbers">{}</tr><tr><td></td><td colspan="{}">{}</td></tr>', numbers, len(cells) - 1,
                prompt_list(part))


def size_list(part: ConceptOverview) -> Markup:
    """Every bucket with an icon of its shape and its number of pictures."""
    return joined(html('<span class="darkroom-size">{}{}×{} <b>{}</b></span>', shape_icon(*size), *size, count)
                  for size, count in part.sizes)


def shape_icon(width: int, height: int) -> Markup:
    scale = SHAPE / max(width, height)
    return html('<i style="width:{}px;height:{}px"></i>', round(scale * width), round(scale * height))


def prompt_list(part: ConceptOverview) -> Markup:
    """Some pictures, each with its prompt."""
    more = len(part.items) - len(part.prompts)
    lines = joined(html('<div class="darkroom-line">{}{}</div>', small_picture(item.path), quoted(text))
                   for item, text in part.prompts)
    return lines + (html('<span class="darkroom-faint">and {} more</span>', more) if more > 0 else NOTHING)


def quoted(text: str) -> Markup:
    return html('<q translate="no">{}</q>', text) if text else html("<q><i>empty</i></q>")


def totals(overview: Overview) -> Markup:
    """Pictures, batches and steps in one line."""
    batches = counted(overview.batches, "batch", "batches")
    showings = f"{counted(overview.showings, 'picture')} with repeats in {batches}, {overview.at_once} per step"
    steps = "1 step" if overview.per_epoch == 1 else f"{overview.per_epoch:g} steps"
    epochs = f"{overview.steps} steps = {overview.epochs:.1f} epochs, each picture is seen about {overview.seen} times"
    return html('<div class="darkroom-figures">{}</div>', f"{showings} = {steps} per epoch; {epochs}")


def steps_summary(run: Run) -> Markup:
    """The totals of a run; "" while its pictures cannot be read."""
    try:
        return totals(overview(run))
    except (FolderError, OSError):
        return NOTHING
