"""What importing the runtime and every public name of it loads beyond the standard library, as one JSON list."""

from __future__ import annotations

import json
import sys


def loaded() -> set[str]:
    """Give the top-level modules; what no import made, as Cython's, has no spec."""
    return {name.partition(".")[0] for name, module in sys.modules.items() if getattr(module, "__spec__", None)}


before = loaded()
import edge_runtime  # noqa: E402 - what was there before it is told apart

for public in edge_runtime.__all__:
    getattr(edge_runtime, public)
print(json.dumps(sorted(loaded() - before - set(sys.stdlib_module_names))))
