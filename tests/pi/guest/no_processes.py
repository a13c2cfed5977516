"""A pytest plugin for a guest, which cannot start another program: it skips tests that try to."""

from __future__ import annotations

import subprocess
from typing import Any, NoReturn

import pytest


class NoProcess(subprocess.Popen[Any]):
    """Replaces `subprocess.Popen`."""

    def __init__(self, *_: object, **__: object) -> None:
        _skip()

    def __del__(self) -> None:
        """Do nothing; no process was started."""


def _skip() -> NoReturn:
    pytest.skip("a guest cannot start another program")


subprocess.Popen = NoProcess  # type: ignore[misc]
