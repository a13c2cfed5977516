from __future__ import annotations

import pytest

from edge_runtime.errors import BundleError, SpecError
from edge_runtime.model.bundle import Bundle


def test_a_whole_bundle_opens(bundle, spec):
    opened = Bundle.open(bundle)
    assert opened.spec == spec
    assert list(opened.artifacts) == ["float32.tflite", "int8.tflite", "float32.onnx"]
    assert opened.artifact().name == "int8.tflite"
    assert opened.artifact("float32.onnx").format == "onnx"
    opened.check_files()


def test_a_missing_folder_and_a_folder_that_is_no_bundle_are_told_apart(tmp_path):
    with pytest.raises(BundleError, match="no such bundle folder"):
        Bundle.open(tmp_path / "none")
    with pytest.raises(BundleError, match=r"contains no manifest\.json"):
        Bundle.open(tmp_path)


def test_an_unknown_artifact_is_answered_with_those_there_are(bundle):
    with pytest.raises(
        BundleError, match=r"no artifact 'int4.tflite'; it contains float32.tflite, int8.tflite, float32"
    ):
        Bundle.open(bundle).artifact("int4.tflite")


@pytest.mark.parametrize("position", [0, 1000, -1])
def test_one_changed_byte_is_damage(bundle, position):
    path = bundle / "model.int8.tflite"
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    opened = Bundle.open(bundle)
    with pytest.raises(BundleError, match=r"model\.int8\.tflite: damaged, its SHA-256"):
        opened.checked_path(opened.artifact().file)
    opened.checked_path(opened.artifact("float32.tflite").file)
    with pytest.raises(BundleError, match="damaged"):
        opened.check_files()


def test_a_cut_file_and_a_missing_file_are_named(bundle):
    path = bundle / "model.int8.tflite"
    opened = Bundle.open(bundle)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BundleError, match="100 bytes where the manifest says"):
        opened.checked_path(opened.artifact().file)
    path.unlink()
    with pytest.raises(BundleError, match="missing or not a regular file"):
        opened.checked_path(opened.artifact().file)


def test_a_linked_artifact_is_refused_though_its_bytes_are_right(bundle, tmp_path):
    path = bundle / "model.int8.tflite"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    opened = Bundle.open(bundle)
    with pytest.raises(BundleError, match="not a regular file"):
        opened.checked_path(opened.artifact().file)


@pytest.mark.parametrize(
    "path",
    ["../model", "/etc/passwd", "a/../../b", "a//b", "./a", ".hidden", "a\\b", "", "a/", "a\nb", "~/a", None, 3],
)
def test_a_manifest_cannot_name_a_file_outside_the_bundle(bundle, edit_manifest, path):
    def change(manifest):
        manifest["artifacts"][0]["file"]["path"] = path

    edit_manifest(bundle, change)
    with pytest.raises(BundleError, match="leaves the bundle or contains an unsafe character"):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda manifest: manifest.update(extra=1), "unknown key 'extra'"),
        (lambda manifest: manifest.pop("default"), "key 'default' is missing"),
        (lambda manifest: manifest.update(version=2), "version 2 is not 1"),
        (lambda manifest: manifest.update(default="int4.tflite"), "'default' is 'int4.tflite'"),
        (lambda manifest: manifest.update(artifacts={}), "'artifacts' must be a JSON list"),
        (lambda manifest: manifest.update(artifacts=[]), "'default' is"),
        (lambda manifest: manifest["artifacts"].append(3), "an artifact must be a JSON object"),
        (lambda manifest: manifest["artifacts"].append(manifest["artifacts"][0]), "names an artifact twice"),
        (lambda manifest: manifest["artifacts"][0].update(name="x"), "is not its precision and one of"),
        (lambda manifest: manifest["artifacts"][0].update(format="pb"), "is not its precision and one of"),
        (lambda manifest: manifest["artifacts"][0].update(parity=3), "'parity' must be a JSON object"),
        (lambda manifest: manifest["artifacts"][0].update(parity={"accuracy": "high"}), "object of numbers"),
        (lambda manifest: manifest["artifacts"][0].pop("parity"), "key 'parity' is missing"),
        (lambda manifest: manifest["artifacts"][0].update(file="x"), "a file must be a JSON object"),
        (lambda manifest: manifest["artifacts"][0]["file"].update(size_bytes="9"), "size_bytes must be a number"),
        (lambda manifest: manifest["artifacts"][0]["file"].update(sha256=None), "sha256 a text"),
    ],
)
def test_a_manifest_of_another_form_is_refused_by_key(bundle, edit_manifest, change, reason):
    edit_manifest(bundle, change)
    with pytest.raises(BundleError, match=reason):
        Bundle.open(bundle)


def test_the_manifests_spec_is_checked_and_named(bundle, edit_manifest):
    edit_manifest(bundle, lambda manifest: manifest["spec"].update(mean=0.5))
    with pytest.raises(SpecError, match=r"manifest\.json: spec: unknown key 'mean'"):
        Bundle.open(bundle)
