import hashlib
import json
import shutil

import numpy as np
import pytest

from edge_runtime.backends.names import installed
from edge_runtime.storage.json_files import read_json, write_json
from export.cli import main
from export.errors import ExportError


def rewrite_manifest(bundle, path):
    """Make the manifest vouch for a file as it now is: what someone who swaps a model would do."""
    manifest = read_json(bundle / "manifest.json", ExportError)
    for file in (*(artifact["file"] for artifact in manifest["artifacts"]), *manifest["files"]):
        if file["path"] == path:
            content = (bundle / path).read_bytes()
            file.update(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    write_json(bundle / "manifest.json", manifest)


def test_a_bundle_moved_elsewhere_replays_its_golden_images_in_every_runtime(tiny_bundle, tmp_path, capsys):
    moved = shutil.copytree(tiny_bundle, tmp_path / "else" / "where")
    assert main(["verify", str(moved), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 4 * len(installed(("litert", "tflite-runtime"))) + 2
    assert {"artifact", "backend", "images", "drift", "reference_agreement"} == set(rows[0])
    assert all(row["images"] == 8 and row["reference_agreement"] == 1 for row in rows)
    assert all(row["drift"] < 1e-4 for row in rows if row["artifact"] == "float32.tflite")


@pytest.mark.parametrize("name", ["model.int8.tflite", "labels.txt", "golden/golden.json", "golden/00-blue.png"])
def test_a_changed_byte_anywhere_is_refused_by_the_files_name(copied_bundle, error_line, name):
    path = copied_bundle / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    line = error_line(main(["verify", str(copied_bundle)]))
    assert name in line
    assert "damaged" in line


def test_a_swapped_model_is_refused_though_its_digest_fits(copied_bundle, error_line):
    path = copied_bundle / "model.float32.tflite"
    content = bytearray(path.read_bytes())
    weights = np.frombuffer(content, np.float32, count=len(content) // 4)
    middle = slice(len(weights) // 2, len(weights) // 2 + 2000)
    weights[middle] = weights[middle][::-1].copy()
    path.write_bytes(content)
    rewrite_manifest(copied_bundle, "model.float32.tflite")
    line = error_line(main(["verify", str(copied_bundle)]))
    assert "model.float32.tflite in litert" in line
    assert "a probability differs by" in line


def test_another_preprocessing_is_noticed(copied_bundle, error_line):
    manifest = read_json(copied_bundle / "manifest.json", ExportError)
    manifest["spec"]["resize"] = "crop"
    write_json(copied_bundle / "manifest.json", manifest)
    line = error_line(main(["verify", str(copied_bundle)]))
    assert "preprocessed to other pixels" in line
