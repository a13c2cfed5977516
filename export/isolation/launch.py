"""Confine this process, then run a module in it: FOLDER MODULE ARGUMENTS.

The process confines itself before it imports anything else, because an unprivileged process can only enter a namespace
while it has one thread, and numpy starts more.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

from export.isolation.confinement import confine

UNPROTECTED = "unprotected.json"


def main() -> None:
    """Confine this process to FOLDER, write there what could not be protected, and run MODULE."""
    folder, module = sys.argv[1:3]
    missing = confine([Path(folder)])
    Path(folder, UNPROTECTED).write_text(json.dumps(missing), encoding="utf-8")
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
