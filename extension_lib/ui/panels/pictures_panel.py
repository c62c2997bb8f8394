"""The gallery of a run's pictures, and the chosen picture: its crop, its mask, and its caption to edit."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup
from PIL import Image

from ...config.run import Run
from ...data.captions import FILEWORDS, caption_file, read_caption, write_caption
from ...data.crop_view import draw_crop
from ...data.folder import FolderError, Item, find_all_pictures
from ...data.pictures import PictureError, load_picture
from ...errors import DarkroomError
from ...setup.picture_readers import install_readers, lacks_reader
from ..views.data_url import data_url
from ..views.html import html
from ..views.job_view import message
from .widgets import unsaved

THUMBNAILS = 60  # on a page of the gallery; more would be slow
SIDE = 256  # pixels of a thumbnail
ReadRun = Callable[[dict], Run]  # the run on the page, saved in its workspace; raises DarkroomError


class PicturesPanel:
    """A state holds the path of the chosen picture. The folder is read again for every event."""

    def __init__(self) -> None:
        self.paths, self.chosen = gr.State([]), gr.State("")
        with gr.Row():
            with gr.Column(scale=4):
                self.gallery = gr.Gallery(label="Pictures: choose one to see its crop and its caption", columns=4,
                                          height=360, allow_preview=False, elem_id="darkroom_gallery")
                self.readers = gr.Button("Install readers for JPEG XL, HEIC and AVIF", visible=False, size="sm",
                                         elem_id="darkroom_readers")
                self.page = unsaved(gr.Slider(1, 2, value=1, step=1, label="Page", visible=False,
                                              elem_id="darkroom_gallery_page"))
            with gr.Column(scale=3):
                self.picture = gr.HTML(elem_id="darkroom_framed")
            with gr.Column(scale=3):
                self.caption = unsaved(gr.Textbox(label="Caption of the chosen picture", lines=4, interactive=False,
                                                  elem_id="darkroom_caption", info="Choose a picture first."))
                with gr.Row():
                    self.save = gr.Button("Save caption", elem_id="darkroom_caption_save", size="sm")
                    self.save_next = gr.Button("Save and next", elem_id="darkroom_caption_next", size="sm")
                self.answer = gr.HTML(elem_id="darkroom_caption_answer")

    def outputs(self) -> list[Any]:
        """What show_all() updates."""
        return [self.gallery, self.page, self.paths, self.readers, *self.choice_outputs()]

    def choice_outputs(self) -> list[Any]:
        """What show_picture() updates."""
        return [self.chosen, self.picture, self.caption, self.answer]

    def wire(self, run_fields: set[Any], read_run: ReadRun) -> None:
        """run_fields: the inputs of read_run()."""
        self.read_run = read_run
        self.gallery.select(self.choose, {*run_fields, self.paths}, self.choice_outputs(), queue=False)
        self.page.input(self.turn_page, {*run_fields, self.page}, self.outputs(), queue=False)
        self.readers.click(self.install_readers, None, [self.answer, self.readers], queue=False)
        inputs = {*run_fields, self.paths, self.chosen, self.caption, self.page}
        self.save.click(self.save_caption, inputs, [self.gallery, *self.choice_outputs()], queue=False)
        self.save_next.click(self.save_and_next, inputs, [self.gallery, *self.choice_outputs()], queue=False)

    # ---- all pictures

    def show_all(self, run: Run, page: int = 1) -> list[Any]:
        """Updates that show a page of the run's pictures, with none chosen."""
        found = find_all_pictures(run)
        items = [item for one in found for item in one.items]
        pages = max(1, -(-len(items) // THUMBNAILS))
        shown = items[THUMBNAILS * (page - 1):THUMBNAILS * page]
        slider = gr.update(maximum=max(2, pages), value=page, visible=pages > 1)
        unreadable = [path for one in found for path, _ in one.unreadable]
        return [thumbnails(shown), slider, [str(item.path) for item in shown], offer_readers(unreadable),
                *self.clear_choice()]

    def show_none(self, error: DarkroomError | None = None) -> list[Any]:
        """error: why there are none, where that is an error."""
        offer = offer_readers(error.unreadable if isinstance(error, FolderError) else ())
        return [[], gr.update(visible=False), [], offer, *self.clear_choice()]

    def clear_choice(self) -> list[Any]:
        return ["", "", gr.update(value="", interactive=False, info="Choose a picture first."), ""]

    def turn_page(self, data: dict) -> list[Any]:
        try:
            return self.show_all(self.read_run(data), int(data[self.page]))
        except DarkroomError as error:
            return [*self.show_none(error)[:-1], message(str(error))]

    def install_readers(self) -> list[Any]:
        problem = install_readers()
        said = message(problem) if problem else message("They are read now. Press Check before start.", good=True)
        return [said, gr.update(visible=bool(problem))]

    # ---- the chosen one

    def choose(self, data: dict, event: gr.SelectData) -> list[Any]:
        paths = data[self.paths]
        number = event.index if isinstance(event.index, int) else 0
        if number >= len(paths):
            return self.clear_choice()
        try:
            return self.show_picture(self.read_run(data), paths[number])
        except DarkroomError as error:
            return [*self.clear_choice()[:-1], message(str(error))]

    def show_picture(self, run: Run, path: str, answer: str = "") -> list[Any]:
        """Updates that show this picture."""
        item = next((item for item in all_items(run) if str(item.path) == path), None)
        if item is None:
            return [
                *self.clear_choice()[:-1],
                message(f"{Path(path).name} no longer exists. Press Check before start.")
            ]
        return [path, picture_figure(item, run), self.caption_update(item), answer]

    def caption_update(self, item: Item) -> Any:
        """The caption's text, and the file that holds it."""
        written = read_caption(item.path)
        name = caption_file(item.path).name
        info = f"Saved in {name}." if written is not None else f"No caption yet; saving creates {name}."
        return gr.update(value=written or "", interactive=True, info=info)

    def save_caption(self, data: dict) -> list[Any]:
        return self.write_and_show(data, data[self.chosen])

    def save_and_next(self, data: dict) -> list[Any]:
        paths, chosen = data[self.paths], data[self.chosen]
        following = paths[(paths.index(chosen) + 1) % len(paths)] if chosen in paths else chosen
        return self.write_and_show(data, following)

    def write_and_show(self, data: dict, shown_next: str) -> list[Any]:
        """Writes the chosen picture's caption, then shows this one."""
        chosen = data[self.chosen]
        if not chosen:
            return [gr.update(), *self.clear_choice()[:-1], message("Choose a picture first.")]
        try:
            write_caption(Path(chosen), data[self.caption])
            run = self.read_run(data)
            paths = set(data[self.paths])
            shown = [item for item in all_items(run) if str(item.path) in paths]
            answer = message(f"Saved {caption_file(Path(chosen)).name}.", good=True)
            return [thumbnails(shown), *self.show_picture(run, shown_next, answer)]
        except DarkroomError as error:
            return [gr.update(), gr.update(), gr.update(), gr.update(), message(str(error))]


def offer_readers(unreadable: Sequence[Path]) -> Any:
    """An update that shows the button where one of these pictures could be read with what it installs."""
    return gr.update(visible=any(map(lacks_reader, unreadable)))


def all_items(run: Run) -> list[Item]:
    """Raises FolderError."""
    return [item for found in find_all_pictures(run) for item in found.items]


def thumbnails(items: list[Item]) -> list[tuple[Any, str]]:
    """Small pictures with their prompts. They are no paths, because Gradio serves only files of folders it may read."""
    return [(thumbnail(item.path), item.prompt) for item in items]


def thumbnail(path: Path) -> Any:
    """The picture made small; a grey square if it cannot be read, so that every picture keeps its place."""
    try:
        image = load_picture(path, SIDE)
    except PictureError:
        return Image.new("RGB", (SIDE, SIDE), "grey")
    image.thumbnail((SIDE, SIDE))
    return image


def picture_figure(item: Item, run: Run) -> Markup:
    """The picture as training uses it, with a description."""
    try:
        image, size, masked = draw_crop(item.path, run)
    except PictureError as error:
        return message(str(error))
    notes = [f"{item.width}×{item.height}, trained at {size[0]}×{size[1]}"]
    if run.data.crops_vary:
        notes.append("cropped at random")
    if masked:
        notes.append("tinted parts are ignored because of the mask" if run.data.masked
                     else "it has a mask, but Masks is off in the Train tab")
    prompt = html('<div>Prompt: <q translate="no">{}</q></div>', item.prompt)
    if FILEWORDS not in run.concepts[0].instance_prompt and len(run.concepts) == 1 and run.concepts[0].instance_prompt:
        prompt += html(
            '<div class="darkroom-warning">The instance prompt lacks {}, so captions are not used.</div>', FILEWORDS)
    return html(
        '<figure class="darkroom-framed"><img src="{url}" alt="{name}">'
        '<figcaption><b translate="no">{name}</b> {notes}{prompt}</figcaption></figure>',
        url=data_url(image), name=item.path.name, notes="; ".join(notes), prompt=prompt)
