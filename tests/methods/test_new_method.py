"""A method is one file: one that a test writes is found, trained, saved and read back like those that ship."""

import inspect
import sys

import pytest
import test_properties
from texts import texts

from extension_lib import methods
from extension_lib.export import header
from extension_lib.export.lora import method_of_tensors

pytestmark = pytest.mark.once
HALF = '''"""A LoRA that learns half as much as its alpha says."""

from dataclasses import dataclass
from typing import ClassVar

from ..model import Layer
from ..settings import option_like
from .lora import Lora
from .low_rank import LowRank


@dataclass(frozen=True)
class HalfLora(Lora):
    """Learns slowly: its alpha counts half."""

    name: ClassVar[str] = "half_lora"
    title: ClassVar[str] = "Half LoRA"
    order: ClassVar[int] = 200
    signature: ClassVar[str] = ""  # its files are LoRA's

    rank: int = option_like(LowRank, "rank", 12, help="How many directions each layer can learn slowly.")

    def rank_and_alpha(self, layer: Layer) -> tuple[int, float]:
        return self.rank, self.alpha / 2
'''


@pytest.fixture
def folder(tmp_path):
    """A folder that is searched for methods; afterwards everything is as it was."""
    places, loaded = list(methods.__path__), set(sys.modules)
    path = tmp_path / "methods"
    path.mkdir()
    (path / "half_lora.py").write_text(HALF, encoding="utf-8")
    yield path
    methods.__path__[:] = places
    for name in {name for name in sys.modules if name.startswith("extension_lib.methods.")} - loaded:
        del sys.modules[name]
    methods.all_methods.cache_clear()


def properties(module):
    """The tests of a module that hold for every method: those that take its name."""
    return [function for name, function in vars(module).items() if name.startswith("test_")
            and {"name", "way"} & set(inspect.signature(function).parameters)]


@pytest.mark.parametrize("proven", properties(test_properties), ids=lambda f: f.__name__)
def test_every_property_holds_for_a_new_method(folder, model, pictures, tmp_path, proven):
    methods.add_folder(folder)
    given = {"model": model, "pictures": pictures, "tmp_path": tmp_path, "name": "half_lora", "way": "half_lora"}
    proven(**{name: given[name] for name in inspect.signature(proven).parameters})


def test_nothing_else_has_to_be_written_for_it(folder, tmp_path):
    """No translation, no golden file, no table: and its files are recognized."""
    from shown import Shown

    before = texts(Shown(tmp_path))
    methods.add_folder(folder)
    assert texts(Shown(tmp_path)) == before
    half = methods.all_methods()["half_lora"]()
    assert half.header()["ss_network_module"] == "networks.lora" and half.files() == ("lora",)
    assert header.method_in_header({header.METHOD: "half_lora"}) == "half_lora"
    assert method_of_tensors({"lora_up.weight": None}).name == "lora"


def test_two_methods_of_one_name_are_an_error(folder):
    (folder / "other.py").write_text(HALF.replace("class HalfLora", "class Other"), encoding="utf-8")
    methods.add_folder(folder)
    with pytest.raises(ValueError, match="Two methods are named 'half_lora'.*HalfLora.*Other"):
        methods.all_methods()
