"""Values that no one means, for the fuzz tests: a few in `make test`, N of each with FUZZ=N."""

import os
import re
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from extension_lib import methods
from extension_lib.config.run import SECTIONS, Concept
from extension_lib.imports import dreambooth_extension, kohya_dataset, kohya_gui
from extension_lib.settings import options

FUZZ = int(os.environ.get("FUZZ", "0"))
SECONDS = 20  # that one input may take

few = settings(max_examples=FUZZ or 25, derandomize=not FUZZ, database=None, deadline=SECONDS * 1000,
               suppress_health_check=list(HealthCheck), print_blob=True)

SCRIPT = "\"'><script>alert(1)</script>"
ODD_TEXTS = [
    "", " ", "\0", "\ud800", "\udcff", "..", "../../x", "/dev/zero", "$HOME", "%PATH%", "~", "~nobody", "nan", "inf",
    "1e400", "-1", "9" * 400, "CON", "{}", "{0}", "%s", "a\nb", "\u202e", "猫", "x" * 3000, "C:\\x", "[",
    "[[filewords]]", "(a:1e400)", "\\", SCRIPT]
ODD_NUMBERS = [10**400, -10**400, 2**63, -1, 0, 0.5, 1e308, -0.0, float("inf"), float("nan")]

texts = st.sampled_from(ODD_TEXTS) | st.text(max_size=20)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(ODD_NUMBERS) | texts
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
                      max_leaves=5)


def some_of(names, inner=values):
    """A dict with some of these names."""
    return st.dictionaries(st.sampled_from(sorted(names)), inner, max_size=6)


def names_of(section) -> list[str]:
    return [option.name for option in options(section)]


own = {name: some_of(names_of(cls)) | values for name, cls in SECTIONS.items()}
own["method"] = some_of({"name", *(n for m in methods.all_methods().values() for n in names_of(m))},
                        st.sampled_from(list(methods.all_methods())) | values)
own["concepts"] = st.lists(some_of(names_of(Concept)) | values, max_size=3) | values
loose_runs = st.fixed_dictionaries({}, optional=own) | values.filter(lambda value: isinstance(value, dict))


def keys_in(module) -> set[str]:
    """The keys of another trainer that a translation knows: what its source has in quotes."""
    return set(re.findall(r"\"([a-z][A-Za-z_]{2,40})\"", Path(module.__file__).read_text(encoding="utf-8")))


FOREIGN = {module.__name__.rpartition(".")[2]: keys_in(module)
           for module in (kohya_gui, kohya_dataset, dreambooth_extension)}


