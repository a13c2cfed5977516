"""The API reference is built from the docstrings."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest
from manual import ROOT


@pytest.mark.skipif(find_spec("pdoc") is None, reason="needs pdoc")
def test_the_reference_of_the_runtime_is_built_without_warnings(tmp_path):
    command = [sys.executable, ROOT / "docs" / "build_api.py", tmp_path, "edge_runtime"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "edge_runtime.html").read_text()
    assert "Classifier" in page
    assert (tmp_path / "edge_runtime" / "live" / "records.html").exists()
