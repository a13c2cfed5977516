from __future__ import annotations

import os
import shutil

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


def test_a_missing_folder_and_a_folder_that_is_not_a_bundle_have_different_errors(tmp_path):
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
        opened.read_file(opened.artifact().file)
    opened.read_file(opened.artifact("float32.tflite").file)
    with pytest.raises(BundleError, match="damaged"):
        opened.check_files()


def test_a_cut_file_and_a_missing_file_are_named(bundle):
    path = bundle / "model.int8.tflite"
    opened = Bundle.open(bundle)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BundleError, match="100 bytes where the manifest says"):
        opened.read_file(opened.artifact().file)
    path.unlink()
    with pytest.raises(BundleError, match="missing or not a regular file"):
        opened.read_file(opened.artifact().file)


def test_a_linked_artifact_is_refused_though_its_bytes_are_right(bundle, tmp_path):
    path = bundle / "model.int8.tflite"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    opened = Bundle.open(bundle)
    with pytest.raises(BundleError, match="not a regular file"):
        opened.read_file(opened.artifact().file)


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
        (lambda manifest: manifest["artifacts"].append(manifest["artifacts"][0]), "contains .* twice"),
        (lambda manifest: manifest["artifacts"][0].update(name="x"), "is not named after its precision and format"),
        (lambda manifest: manifest["artifacts"][0].update(format="pb"), "and format one of tflite, onnx"),
        (lambda manifest: manifest["artifacts"][0].update(parity=3), "'parity' must be a JSON object"),
        (lambda manifest: manifest["artifacts"][0].update(parity={"accuracy": "high"}), "object of numbers"),
        (lambda manifest: manifest["artifacts"][0].pop("parity"), "key 'parity' is missing"),
        (lambda manifest: manifest["artifacts"][0].update(file="x"), "a file must be a JSON object"),
        (lambda manifest: manifest["artifacts"][0]["file"].update(size_bytes="9"), "size_bytes must be a whole number"),
        (lambda manifest: manifest["artifacts"][0]["file"].update(sha256=None), "sha256 must be 64 lower-case"),
        (lambda manifest: manifest["artifacts"][0]["file"].update(size_bytes=10**30), "size_bytes must be"),
        (lambda manifest: manifest["artifacts"][0]["file"].update(path="model.bin"), r"does not end in \.tflite"),
        (lambda manifest: manifest["artifacts"][0].update(precision="\x1b[31m"), "precision must be one of"),
        (lambda manifest: manifest["artifacts"][0].update(precision=[]), "precision must be one of"),
        (lambda manifest: manifest.update(version=True), "version True is not 1"),
        (lambda manifest: manifest.update(version=1.0), r"version 1\.0 is not 1"),
        (lambda manifest: manifest.update(versions={"\x1b]0;x\x07": "1"}), "printable texts"),
        (lambda manifest: manifest.update(versions={"numpy": 1}), "printable texts"),
        (lambda manifest: manifest["files"].append(manifest["artifacts"][0]["file"]), "contains .* twice"),
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


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ('"version"', '"default": "float32.onnx", "version"', "contains 'default' twice"),
        ('"accuracy": ', '"mean_abs_diff": NaN, "accuracy": ', "contains NaN"),
        ('"accuracy": ', '"mean_abs_diff": -Infinity, "accuracy": ', "contains -Infinity"),
        ('"accuracy": ', '"mean_abs_diff": 1e400, "accuracy": ', "contains 1e400, which is too large"),
        ("{", "\ufeff{", "not readable as JSON"),
    ],
)
def test_a_manifest_that_is_not_strict_json_is_refused(bundle, before, after, reason):
    path = bundle / "manifest.json"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(BundleError, match=rf"manifest\.json: .*{reason}"):
        Bundle.open(bundle)


def link(path, tmp_path):
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")


def pipe(path, _):
    path.unlink()
    os.mkfifo(path)


def endless(path, _):
    path.unlink()
    path.symlink_to("/dev/zero")


def folder_of_its_name(path, _):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("replace", [link, pipe, endless, folder_of_its_name])
@pytest.mark.parametrize("name", ["manifest.json", "model.int8.tflite"])
def test_what_is_not_a_regular_file_is_refused_without_waiting(bundle, tmp_path, replace, name):
    replace(bundle / name, tmp_path)
    with pytest.raises(BundleError, match=rf"{name}: .*not a regular file; copy the bundle again"):
        Bundle.open(bundle).check_files()


def test_a_folder_inside_the_bundle_that_is_a_link_is_refused(bundle, edit_manifest, tmp_path):
    (bundle / "parts").mkdir()
    (bundle / "model.int8.tflite").rename(bundle / "parts" / "model.int8.tflite")
    edit_manifest(bundle, lambda manifest: manifest["artifacts"][1]["file"].update(path="parts/model.int8.tflite"))
    opened = Bundle.open(bundle)
    opened.check_files()
    link(bundle / "parts", tmp_path)
    with pytest.raises(BundleError, match="not a regular file"):
        opened.read_model(opened.artifact())


def test_a_bundle_is_opened_through_a_link_to_its_folder(bundle, tmp_path):
    (tmp_path / "current").symlink_to(bundle)
    Bundle.open(tmp_path / "current").check_files()


def test_a_manifest_of_many_megabytes_is_refused_before_it_is_parsed(bundle):
    with (bundle / "manifest.json").open("wb") as stream:
        stream.truncate(1 << 33)
    with pytest.raises(BundleError, match="more than 16777216 bytes"):
        Bundle.open(bundle)


@pytest.mark.parametrize("name", ["extra.py", "folder/", ".hidden"])
def test_a_file_that_the_manifest_does_not_list_is_named(bundle, name):
    opened = Bundle.open(bundle)
    for report in ("report.json", "report.html"):
        (bundle / report).write_text("{}")
    opened.check_files()
    (bundle / name).mkdir() if name.endswith("/") else (bundle / name).write_text("")
    with pytest.raises(BundleError, match=rf"{name.rstrip('/')}: not in the manifest"):
        opened.check_files()


def test_the_content_that_was_checked_is_the_content_that_is_returned(bundle):
    opened = Bundle.open(bundle)
    model = opened.read_model(opened.artifact())
    content = (bundle / "model.int8.tflite").read_bytes()
    shutil.copy(bundle / "model.float32.tflite", bundle / "model.int8.tflite")
    assert model.content == content
    with pytest.raises(BundleError, match="bytes where the manifest says"):
        opened.read_model(opened.artifact())
