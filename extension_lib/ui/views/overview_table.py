"""What will be trained, as HTML: a table of the concepts, and the steps that follow from them."""

from html import escape

from ...config.run import Run
from ...data.folder import FolderError
from ...data.overview import ConceptOverview, Overview, overview
from .data_url import small_picture
from .plural import counted

SHAPE = 18  # pixels of the icon that shows a size's shape


def overview_table(overview: Overview) -> str:
    rows = "".join(concept_row(n + 1, part) for n, part in enumerate(overview.parts))
    titles = ("Concept", "Pictures", "Repeats", "Uses per epoch", "Training sizes")
    head = "".join(f"<th>{title}</th>" for title in titles)
    return (f'<div class="darkroom-wide"><table class="darkroom-check-table"><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>")


def concept_row(number: int, part: ConceptOverview) -> str:
    repeats = ", ".join(f"×{n}" for n in part.repeats)
    held_out = f'<div class="darkroom-faint">{part.held_out} held out</div>' if part.held_out else ""
    cells = (str(number), f"{len(part.items)}{held_out}", repeats, str(part.showings), size_list(part))
    numbers = "".join(f"<td>{cell}</td>" for cell in cells)
    prompts = f'<td colspan="{len(cells) - 1}">{prompt_list(part)}</td>'
    return f'<tr class="numbers">{numbers}</tr><tr><td></td>{prompts}</tr>'


def size_list(part: ConceptOverview) -> str:
    """Every bucket with an icon of its shape and its number of pictures."""
    return "".join(f'<span class="darkroom-size">{shape_icon(*size)}{size[0]}×{size[1]} <b>{count}</b></span>'
                   for size, count in part.sizes)


def shape_icon(width: int, height: int) -> str:
    scale = SHAPE / max(width, height)
    return f'<i style="width:{round(scale * width)}px;height:{round(scale * height)}px"></i>'


def prompt_list(part: ConceptOverview) -> str:
    """Some pictures, each with its prompt."""
    more = len(part.items) - len(part.prompts)
    lines = "".join(f'<div class="darkroom-line">{small_picture(item.path)}{quoted(text)}</div>'
                    for item, text in part.prompts)
    return lines + (f'<span class="darkroom-faint">and {more} more</span>' if more > 0 else "")


def quoted(text: str) -> str:
    return f'<q translate="no">{escape(text)}</q>' if text else "<q><i>empty</i></q>"


def totals(overview: Overview) -> str:
    """Pictures, batches and steps in one line."""
    batches = counted(overview.batches, "batch", "batches")
    showings = f"{counted(overview.showings, 'picture')} with repeats in {batches}, {overview.at_once} per step"
    steps = "1 step" if overview.per_epoch == 1 else f"{overview.per_epoch:g} steps"
    epochs = f"{overview.steps} steps = {overview.epochs:.1f} epochs, each picture is seen about {overview.seen} times"
    return f'<div class="darkroom-figures">{showings} = {steps} per epoch; {epochs}</div>'


def steps_summary(run: Run) -> str:
    """The totals of a run; "" while its pictures cannot be read."""
    try:
        return totals(overview(run))
    except (FolderError, OSError):
        return ""
