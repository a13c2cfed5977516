"""Print the modules outside the standard library that importing all public names of the runtime loads, as JSON."""

from __future__ import annotations

import json
import sys


def loaded() -> set[str]:
    """Return the imported top-level modules; modules that were not imported, such as Cython's, have no spec."""
    return {name.partition(".")[0] for name, module in sys.modules.items() if getattr(module, "__spec__", None)}


before = loaded()
import edge_runtime  # noqa: E402 - modules that are loaded before are subtracted

for public in edge_runtime.__all__:
    getattr(edge_runtime, public)
print(json.dumps(sorted(loaded() - before - set(sys.stdlib_module_names))))
