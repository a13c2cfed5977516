"""docs/bundle-format.md documents every key, and its example program reads real bundles without Edgewise."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
from manual import ROOT, blocks

PAGE = ROOT / "docs" / "bundle-format.md"
# Importing Edgewise raises an error.
WITHOUT_EDGEWISE = "import sys; sys.modules['edge_runtime'] = None\n"


def documented(heading):
    """Return the keys in the tables under one heading."""
    (section,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    first_cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {key for cell in first_cells for key in re.findall(r"`(\w+)`", cell)}


@pytest.mark.slow
def test_exactly_the_keys_of_a_real_bundle_are_documented(followed, reader):
    manifest = json.loads((reader.folder / "bundle" / "manifest.json").read_text())
    golden = json.loads((reader.folder / "bundle" / "golden" / "golden.json").read_text())
    drift = json.loads((reader.folder / "bundle" / "drift.json").read_text())
    assert documented("manifest.json") == set(manifest)
    assert documented("drift.json") == set(drift)
    assert documented("The spec") == set(manifest["spec"])
    assert documented("A file") == set(manifest["files"][0])
    artifact = manifest["artifacts"][0]
    assert documented("An artifact") == set(artifact) | set(artifact["parity"])
    assert documented("golden/golden.json") == set(golden) | set(golden["images"][0])


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ai_edge_litert") is None, reason="needs LiteRT")
@pytest.mark.parametrize("bundle", ["bundle", "shapes-bundle", "wrapped"])
def test_the_example_program_agrees_on_every_golden_image(followed, reader, bundle):
    (program,) = blocks(PAGE, "python")
    program = program.replace('folder = "bundle"', f'folder = "{bundle}"')
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EDGEWISE + program],
        cwd=reader.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.rsplit(maxsplit=2) for line in done.stdout.splitlines()]
    assert len(rows) >= 8
    assert all(decided == recorded for _, decided, recorded in rows)
