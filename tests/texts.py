"""Every text of the page that a person may see: from the page as it is built, the settings, and the code that says
something.

A text is as a translation file has it: what stands in one text node, with {} for each value.
"""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import gradio as gr
from eager import SHIPPED
from helpers import ROOT

from extension_lib import methods
from extension_lib.config.run import all_sections
from extension_lib.settings import options
from extension_lib.ui.page import Page
from extension_lib.ui.tabs.train_tab import method_help

PACKAGE = ROOT / "extension_lib"
SILENT = {  # files whose strings no page shows
    "__main__.py", "commands/studio.py", "commands/serving.py", "commands/training.py", "commands/drawing.py",
    "commands/files.py", "commands/queue.py", "commands/tools.py", "training/ranks.py",
    "ui/door.py",  # the command line; what is said to those not let in
    "api/access.py", "api/answers.py", "api/comparisons.py", "api/follow.py", "api/router.py", "api/views.py",
    "runs/at_end.py",  # for the log
    "data/templates.py", "data/trigger_word.py",  # prompts and words
    "export/card.py", "export/metadata.py", "export/provenance.py", "export/header.py",  # what stands in files
    "compare/infotext.py", "models/names.py"}
NAMES = {
    "Darkroom", "LoRA", "DreamBooth", "LoCon", "LoHa", "LoKr", "OFT", "BOFT", "GLoRA", "DyLoRA", "(IA)³", "TOML",
    "DeepBooru", "CLIP", "DoRA", "toyland", "fp16", "bf16", "fp32", "min-snr", "Euler", "Euler a", "DPM++ 2M",
    "DPM++ 2M Karras", "XavierNormal", "XavierUniform", "KaimingNormal", "KaimingUniform", "lora", "locon", "loha",
    "lokr", "celu", "elu", "gelu", "hardtanh", "leakyrelu", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "softplus", "softsign", "swish", "tanh", "rs-LoRA", "Alpha", "Min-SNR gamma", "JPEG XL", "AdamW", "Adafactor",
    "Lion", "Prodigy", "CAME"
}  # the same in every language
TAG = re.compile(
    r"</?(div|span|b|i|q|li|ul|th|td|tr|thead|tbody|table|caption|dl|dt|dd|details|summary|img|figure|figcaption"
    r"|button|svg|title|text|script|line|polyline|circle|pre|h\d)\b[^<]*")
LOGGED = ("debug", "exception", "getLogger", "compile", "split", "warning", "Guard",
          "execute")  # calls whose texts no page shows
SPOKEN = ("title", "aria-label", "placeholder")
# Words that code shows on their own, where nothing else says that they are shown.
WORDS = {
    "failed", "discarded", "done", "stopping", "paused", "running", "step", "loss", "class pictures", "rate", "pace",
    "memory", "skipped", "skipped weights", "width", "height", "pictures", "base", "run", "method", "time", "name",
    "weights", "seeds",
    "waiting", "interrupted", "cancelled", "takes", "ends", "state", "unknown", "ask", "wait",
    "on", "off", "empty", "My {}", "{} s"
}
# Sentences in code that only programmers, files or the command line see.
UNSHOWN = {
    "[Darkroom] training step", "[Darkroom] weight", "activation text", "average {}", "back", "Back", "can't allocate "
    "memory", "Cell", "choose", "Darkroom captions", "Darkroom check", "Darkroom pictures", "darkroom {}",
    "darkroom queue", "do", "What", "enter",
    "Kohya DyLoRA", "Kohya LoCon", "Kohya LoHa", "Kohya LoKr", "LyCORIS/Native Fine-Tuning", "method ({})",
    "Native Fine-Tuning", "no effect", "preferred weight",
    "not finite", "object template", "out of memory", "pick", "Picked", "poll", "raw {}", "show_train",
    "Stable Diffusion 1", "a photo of a cat", "a red ghost, night", "hello world!", "in use.lock", "numbers do not end",
    "Step {} of {}, loss {}", "style template", "ends with Ended or Paused", "window.darkroomLanguages = {}", "word {}",
    "{} tokens instead of {}", "Two methods are named {}: {} in {} and {} in {}. Rename one.", "X Type", "X Values",
    "X/Y/Z plot", "Y Type", "Y Values"
}


def texts(host) -> set[str]:
    found = {*of_page(host), *of_settings(), *of_code(), *of_scripts()} - {*of_methods_that_do_not_ship()}
    return WORDS | {text for text in map(as_shown, found) if text not in NAMES | UNSHOWN and says_something(text)}


def as_shown(text: str) -> str:
    """Without Markdown's signs and the names of values."""
    return re.sub(r"^#+ |\*\*", "", re.sub(r"\{\w+\}", "{}", text)).strip()


def says_something(text: str) -> bool:
    return re.search(r"[A-Za-z]{2}", text.replace("{}", "")) is not None


# ---- the page


def of_page(host) -> Iterator[str]:
    with gr.Blocks() as blocks:
        Page(host)
    for block in blocks.blocks.values():
        for name in ("label", "info", "placeholder"):
            yield from spoken(getattr(block, name, None))
        if isinstance(block, (gr.Button, gr.Markdown)):
            yield from spoken(block.value)
        if isinstance(block, (gr.Radio, gr.Dropdown)):
            for choice in block.choices or ():
                yield from spoken(choice[0] if isinstance(choice, (tuple, list)) else choice)


def spoken(text: object) -> Iterator[str]:
    if isinstance(text, str):
        yield text


# ---- the settings


def of_settings() -> Iterator[str]:
    for section in all_sections().values():
        for option in options(section):
            yield from (option.label, option.help, *option.choices)
    yield from (method_help(name) for name in methods.all_methods())


def of_methods_that_do_not_ship() -> Iterator[str]:
    """They need no translation; the page shows them in English."""
    shared = {text for name in SHIPPED for text in of_method(name)}
    yield from {text for name in methods.all_methods() if name not in SHIPPED for text in of_method(name)} - shared


def of_method(name: str) -> Iterator[str]:
    yield from (methods.all_methods()[name].title, method_help(name))
    for option in options(methods.all_methods()[name]):
        yield from (option.label, option.help, *option.choices)


# ---- the code


def of_code() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name not in SILENT:
            yield from said_in(ast.parse(path.read_text(encoding="utf-8")), named=name.startswith("ui/"))


def said_in(tree: ast.AST, named: bool) -> Iterator[str]:
    """What a file says: sentences, the texts within its HTML, and (named) the words of components and capitalised
    words.
    """
    passed = set(unspoken(tree))
    for node in walked(tree, passed):
        if isinstance(node, ast.Call):
            yield from of_call(node, named)
        text = literal(node)
        if text is None:
            continue
        if TAG.search(text):
            yield from Parts(text).found
        elif "\n" in text:
            continue
        elif " " in text.strip() or (named and re.fullmatch(r"[A-Z][a-z]+[.?]?", text)):
            yield text


def walked(tree: ast.AST, passed: set[ast.AST]) -> Iterator[ast.AST]:
    """Every node but those passed over and the pieces of texts that are given whole."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if child not in passed:
            whole = literal(tree) is not None and (literal(child) is not None)
            yield from list(walked(child, passed))[1 if whole else 0:]


def unspoken(tree: ast.AST) -> Iterator[ast.AST]:
    """Docstrings, annotations, and what is compared with or looked up."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        if isinstance(node, (ast.arg, ast.AnnAssign)) and node.annotation:
            yield node.annotation
        if isinstance(node, ast.FunctionDef) and node.returns:
            yield node.returns
        if isinstance(node, ast.Call) and called(node) in LOGGED:
            yield from node.args
        if isinstance(node, ast.Call) and called(node) == "counted":  # of_call says what it gives
            yield from node.args[1:]


def called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def of_call(node: ast.Call, named: bool) -> Iterator[str]:
    """Labels and such of components; and both forms of what is counted."""
    first = [text for text in map(literal, node.args) if text]
    if called(node) == "counted" and first:
        yield from ("{} " + first[0], "{} " + (first[1] if len(first) > 1 else first[0] + "s"))
    if named and called(node) in ("Button", "Tab", "Accordion", "Markdown", "small_button", "field") and first:
        yield from spoken(first[0])
    if named:
        yield from (literal(k.value) or "" for k in node.keywords if k.arg in ("label", "info", "placeholder"))


def literal(node: ast.AST) -> str | None:
    """A text as it is written, with {} for its values; None for what is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) or "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = literal(node.left), literal(node.right)
        return None if left is None and right is None else (left or "{}") + (right or "{}")
    return None


class Parts(HTMLParser):
    """Text nodes of HTML, and what its attributes say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in SPOKEN and value]

    def handle_data(self, data):
        self.found.append(data)


# ---- the scripts


def of_scripts() -> Iterator[str]:
    """The templates in javascript/."""
    for path in sorted((ROOT / "javascript").glob("*.js")):
        for text in re.findall(r"`([^`]+)`", path.read_text(encoding="utf-8")):
            yield re.sub(r"\$\{.*?\}", "{}", text)
