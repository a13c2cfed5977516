"""Write the API reference from the docstrings, as pages; a warning of pdoc's is an error.

python docs/build_api.py build/docs [edge_runtime trainer export]
"""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

os.environ["PDOC_ALLOW_EXEC"] = "1"  # NumPy and TensorFlow ask for the processor as they are imported

PACKAGES = ("edge_runtime", "trainer", "export")


def main(argv: list[str]) -> int:
    """Write the pages of the named packages into a folder."""
    import pdoc
    import pdoc.render

    folder, *packages = argv
    for name in packages or PACKAGES:
        make_fit(import_module(name))
    warnings.simplefilter("error", UserWarning)
    pdoc.render.configure(docformat="google", footer_text="Edgewise")
    pdoc.pdoc(*(packages or PACKAGES), output_directory=Path(folder))
    print(f"{folder}/index.html")
    return 0


def make_fit(module: ModuleType) -> None:
    """Make a module, and those inside it, fit for pdoc.

    It takes `__all__` for all that there is, submodules included, and for imported already; edge_runtime's names come
    only when they are used. The constructor of a NamedTuple lies in no module, so that the names in its annotations
    could not be looked up.
    """
    inside = [item.name for item in iter_modules(getattr(module, "__path__", ())) if not item.name.startswith("_")]
    if listed := getattr(module, "__all__", None):
        for name in listed:
            setattr(module, name, getattr(module, name))
        listed += [name for name in inside if name not in listed]
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, tuple) and hasattr(value, "_fields"):
            value.__new__.__module__ = value.__module__
    for name in inside:
        make_fit(import_module(f"{module.__name__}.{name}"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
