"""Run one of this package's modules in a child process, so that a crash of a runtime is an answer."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

from edge_runtime.errors import InferenceError

CANNOT_EXECUTE = 127  # the exit status of a process whose program could not be started


def ask_child(module: str, *arguments: str, timeout_s: float) -> dict[str, Any]:
    """Run `python -m module arguments` and return the JSON object that it prints.

    Raises:
        InferenceError: the process crashed, did not end in time, or printed something else.
        OSError: no process can be started, as under emulation of another processor.

    """
    command = [sys.executable, "-m", module, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise InferenceError(f"did not end within {timeout_s:g} s") from None
    except ValueError:
        if done.returncode == CANNOT_EXECUTE:
            raise OSError(f"{sys.executable} cannot be started") from None
        raise InferenceError(end_of(done.returncode, done.stderr)) from None
    if not isinstance(answer, dict):
        raise InferenceError(end_of(done.returncode, done.stderr))
    return answer


def end_of(code: int, errors: str) -> str:
    """Return in one line why a child process ended: the name of the signal, or its last line on stderr."""
    if code < 0:
        return f"the runtime crashed ({signal.Signals(-code).name})"
    lines = errors.strip().splitlines()
    return lines[-1] if lines else f"the process exited with code {code}"
