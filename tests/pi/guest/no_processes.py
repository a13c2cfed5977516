"""A pytest plugin for a guest, which cannot start another program: a test that tries is skipped, not failed."""

from __future__ import annotations

import subprocess
from typing import Any, NoReturn

import pytest


class NoProcess(subprocess.Popen[Any]):
    """Stands where `subprocess.Popen` does."""

    def __init__(self, *_: object, **__: object) -> None:
        _skip()

    def __del__(self) -> None:
        """Nothing was started."""


def _skip() -> NoReturn:
    pytest.skip("a guest cannot start another program")


subprocess.Popen = NoProcess  # type: ignore[misc]
