from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
from PIL import Image

from edge_runtime.backends.names import installed

EDGE_RUN = [sys.executable, "-m", "edge_runtime.cli"]


def test_classify_names_images_in_one_line_each(bundle, photo, edge_run, tmp_path):
    photo("red", "photos/a.png")
    photo("blue", "photos/deep/b.png")
    code, out, err = edge_run("classify", bundle, tmp_path / "photos", "--top-k", 1)
    assert (code, err) == (0, [])
    assert [line.rsplit(" ", 1)[0] for line in out] == [
        f"{tmp_path}/photos/a.png  red",
        f"{tmp_path}/photos/deep/b.png  blue",
    ]


def test_the_runners_up_stand_in_brackets(bundle, photo, edge_run):
    path = photo("green")
    _, out, _ = edge_run("classify", bundle, path)
    assert out == [f"{path}  green 1.00  (red 0.00, blue 0.00)"]


def test_an_unknown_shows_every_top_class(bundle, edge_run, tmp_path):
    path = tmp_path / "grey.png"
    Image.new("RGB", (8, 8), (128, 128, 128)).save(path)
    code, out, _ = edge_run("classify", bundle, path, "--min-score", "0.9")
    assert code == 0
    assert out == [f"{path}  unknown  (red 0.33, green 0.33, blue 0.33)"]


def test_json_gives_one_object_a_line(bundle, photo, edge_run):
    paths = [photo("red"), photo("green")]
    code, out, err = edge_run("classify", bundle, *paths, "--json")
    lines = [json.loads(line) for line in out]
    assert (code, err) == (0, [])
    assert [line["path"] for line in lines] == [str(path) for path in paths]
    assert [line["label"] for line in lines] == ["red", "green"]
    assert set(lines[0]) == {
        "path",
        "label",
        "score",
        "top",
        "familiarity",
        "decode_ms",
        "preprocess_ms",
        "inference_ms",
    }


@pytest.mark.parametrize("artifact", ["float32.tflite", "int8.tflite", "float32.onnx"])
def test_the_artifact_is_chosen_by_name(bundle, photo, edge_run, artifact):
    code, out, _ = edge_run("classify", bundle, photo("blue"), "--artifact", artifact, "--threads", 1)
    assert (code, "  blue " in out[0]) == (0, True)


@pytest.mark.parametrize("backend", ["litert", "tflite-runtime", "onnx"])
def test_the_backend_is_chosen_by_name_and_stderr_is_ours_alone(bundle, photo, backend):
    if backend not in installed():
        pytest.skip(f"needs the {backend} runtime")
    command = [*EDGE_RUN, "classify", bundle, photo("blue"), "--backend", backend]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  blue " in done.stdout


def test_a_bad_image_is_reported_and_the_others_are_classified(bundle, photo, edge_run, bad_images, tmp_path):
    for kind, path in bad_images.items():
        path.rename(tmp_path / f"{kind}{path.suffix}")
    photo("red", "zz.png")
    code, out, err = edge_run("classify", bundle, tmp_path / "*")
    assert code == 1
    assert len(out) == 1
    assert "zz.png  red" in out[0]
    assert [line.split(":")[1].rsplit("/", 1)[1] for line in err] == [
        "empty.jpg",
        "huge.png",
        "text.jpg",
        "truncated.jpg",
    ]


def test_a_bad_image_has_its_json_line_too(bundle, photo, edge_run, bad_images):
    code, out, err = edge_run("classify", bundle, bad_images["text"], photo("red"), "--json")
    assert code == 1
    assert [set(json.loads(line)) >= {"path", "error"} for line in out] == [True, False]
    assert len(err) == 1


@pytest.mark.parametrize("kind", ["truncated", "text", "empty", "huge"])
def test_a_bad_image_is_one_line(bundle, refused, bad_images, kind):
    assert bad_images[kind].name in refused("classify", bundle, bad_images[kind])


@pytest.mark.parametrize(
    ("given", "reason"),
    [("none.jpg", "no such file"), ("*.jpg", "no image matches this pattern"), ("bundle", "no image in this folder")],
)
def test_nothing_to_classify_is_one_line(bundle, refused, tmp_path, given, reason):
    assert reason in refused("classify", bundle, tmp_path / given)


def test_an_argument_without_images_does_not_stop_the_next(bundle, photo, edge_run, tmp_path):
    code, out, err = edge_run("classify", bundle, tmp_path / "*.bmp", photo("red"))
    assert (code, len(out), len(err)) == (1, 1, 1)


def test_a_missing_bundle_is_one_line(refused, photo, tmp_path):
    assert "no such bundle folder" in refused("classify", tmp_path / "none", photo())
    assert "no such bundle folder" in refused("inspect", tmp_path / "none")


def test_a_changed_byte_is_one_line(bundle, refused, photo):
    path = bundle / "model.int8.tflite"
    path.write_bytes(path.read_bytes()[:-1] + b"\xfe")
    assert "model.int8.tflite: damaged" in refused("classify", bundle, photo())


def test_a_spec_with_an_unknown_or_missing_key_is_one_line(bundle, refused, photo, edit_manifest):
    edit_manifest(bundle, lambda manifest: manifest["spec"].update(mean=[0.5]))
    assert "spec: unknown key 'mean'" in refused("classify", bundle, photo())
    edit_manifest(bundle, lambda manifest: (manifest["spec"].pop("mean"), manifest["spec"].pop("resize")))
    assert "spec: key 'resize' is missing" in refused("classify", bundle, photo())


def test_an_unknown_artifact_is_one_line(bundle, refused, photo):
    line = refused("classify", bundle, photo(), "--artifact", "int4.tflite")
    assert "no artifact 'int4.tflite'; it contains float32.tflite, int8.tflite, float32.onnx" in line


def test_a_missing_backend_is_one_line_with_the_install_line(bundle, refused, photo, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    line = refused("classify", bundle, photo(), "--backend", "litert", "--artifact", "int8.tflite")
    assert "backend litert is not installed; install it with: pip install 'edgewise[pi]'" in line


def test_a_broken_model_file_with_a_right_digest_is_one_line(bundle_of, spec, tmp_path, refused, photo):
    (tmp_path / "x.tflite").write_bytes(b"no model")
    folder = bundle_of(spec, {"int8.tflite": tmp_path / "x.tflite"})
    assert "cannot load it" in refused("classify", folder, photo())


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["classify"],
        ["classify", "bundle"],
        ["classify", "bundle", "a.jpg", "--threads", "0"],
        ["classify", "bundle", "a.jpg", "--threads", "two"],
        ["classify", "bundle", "a.jpg", "--threads", "100000"],
        ["classify", "bundle", "a.jpg", "--top-k", "-1"],
        ["classify", "bundle", "a.jpg", "--min-score", "1.5"],
        ["classify", "bundle", "a.jpg", "--min-score", "nan"],
        ["classify", "bundle", "a.jpg", "--backend", "tensorflow"],
        ["classify", "bundle", "a.jpg", "--jso"],
        ["inspect"],
        ["unknown"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_with_two_lines(edge_run, arguments):
    code, out, err = edge_run(*arguments)
    assert (code, out) == (2, [])
    assert len(err) == 2
    assert err[0].startswith("edge-run")
    assert ": edge-run " in err[1]


def test_version_and_help_exit_0(edge_run):
    assert edge_run("--version") == (0, [f"edge-run {version('edgewise')}"], [])
    code, out, _ = edge_run("classify", "--help")
    assert (code, out[0]) == (0, "example: edge-run classify bundle photos/")


def test_inspect_shows_the_contract_and_every_artifact(bundle, edge_run):
    code, out, err = edge_run("inspect", bundle)
    text = "\n".join(out)
    assert (code, err) == (0, [])
    assert "3: red, green, blue" in text
    assert "32x24 RGB, stretch" in text
    assert "default   int8.tflite" in text
    assert [line.split()[0] for line in out[-3:]] == ["float32.tflite", "int8.tflite", "float32.onnx"]
    assert all("97.50%" in line and line.endswith("ok") for line in out[-3:])


def test_inspect_shows_the_crop_and_an_artifact_without_measurements(
    bundle_of, make_spec, models, edge_run, edit_manifest
):
    folder = bundle_of(make_spec(resize="crop"), models)
    edit_manifest(folder, lambda manifest: manifest["artifacts"][0].update(parity={}))
    _, out, _ = edge_run("inspect", folder)
    assert "32x24 RGB, crop 0.875" in "\n".join(out)
    assert out[-3].split()[-4:] == ["-", "-", "-", "ok"]


def test_inspect_json_is_one_object(bundle, edge_run):
    code, out, _ = edge_run("inspect", bundle, "--json", "--time")
    (data,) = [json.loads(line) for line in out]
    assert (code, data["default"], data["damaged"]) == (0, "int8.tflite", [])
    assert data["spec"]["labels"] == ["red", "green", "blue"]
    assert all(item["inference_ms"] > 0 for item in data["artifacts"])


def test_inspect_times_only_what_an_installed_runtime_runs(bundle, edge_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    _, out, _ = edge_run("inspect", bundle, "--json", "--time")
    times = {item["name"]: item["inference_ms"] for item in json.loads(out[0])["artifacts"]}
    assert times["float32.onnx"] is None
    assert times["int8.tflite"] > 0


def test_inspect_of_a_damaged_bundle_shows_it_all_and_exits_1(bundle, edge_run):
    (bundle / "model.float32.onnx").write_bytes(b"")
    code, out, err = edge_run("inspect", bundle)
    assert code == 1
    assert [line.split()[-1] for line in out[-3:]] == ["ok", "ok", "damaged"]
    assert len(err) == 1
    assert "model.float32.onnx: 0 bytes where the manifest says" in err[0]


def test_a_file_name_that_no_terminal_shows_is_escaped(bundle, photo, edge_run, tmp_path):
    strange = os.fsencode(tmp_path) + b"/two\nlines\xff.png"
    photo("red").rename(os.fsdecode(strange))
    _, out, _ = edge_run("classify", bundle, tmp_path)
    assert len(out) == 1
    assert r"two\nlines\udcff.png" in out[0]
    _, out, _ = edge_run("classify", bundle, tmp_path, "--json")
    assert os.fsencode(json.loads(out[0])["path"]) == strange


def test_a_bad_image_of_a_strange_name_is_one_line(bundle, refused, tmp_path):
    (tmp_path / "two\nlines.png").write_bytes(b"")
    assert "two lines.png: an empty file" in refused("classify", bundle, tmp_path / "two\nlines.png")


def test_pillows_warnings_are_no_lines_of_ours(bundle, tmp_path):
    path = tmp_path / "big.jpg"
    Image.new("L", (10_000, 9_100)).save(path, quality=10)  # Pillow warns above 89 million pixels; scaled, we decode it
    done = subprocess.run([*EDGE_RUN, "classify", bundle, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_leaves_early_is_no_error(bundle, photo):
    path = photo()
    command = [*EDGE_RUN, "classify", bundle, *[path] * 600]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == ("", 0)


def test_one_photograph_starts_answers_and_exits_quickly_in_little_memory(bundle, photo):
    """The budget is 0.6 s and 80 MB; the time is the processor's, so that a busy machine does not decide."""
    peak_mb, cpu_s = cost("classify", bundle, photo())
    assert peak_mb < 80
    assert cpu_s < 0.9


@pytest.mark.parametrize("workers", ["1", "2"])
def test_many_images_take_no_more_memory_than_few(bundle, photo, tmp_path, workers):
    (tmp_path / "many").mkdir()
    (tmp_path / "few").mkdir()
    source = photo("blue", size=(640, 480))
    for index in range(100):
        os.link(source, tmp_path / "many" / f"{index}.png")
        if index < 20:
            os.link(source, tmp_path / "few" / f"{index}.png")
    few_mb, many_mb = (cost("classify", bundle, tmp_path / name, "--workers", workers)[0] for name in ("few", "many"))
    assert many_mb - few_mb < 3


def cost(*argv):
    """Give the peak resident megabytes and the processor seconds of a run of the command in its own process."""
    code = """
import sys, time
from pathlib import Path
from edge_runtime.cli import main
assert main(sys.argv[1:]) == 0
status = Path("/proc/self/status").read_text()  # a child's ru_maxrss would count its parent's memory too
print(int(status.split("VmHWM:")[1].split()[0]) / 1024, time.process_time())
"""
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=True)
    return [float(number) for number in done.stdout.splitlines()[-1].split()]
