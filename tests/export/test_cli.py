import json

import pytest

from export.cli import main


def test_a_missing_run_is_one_clear_line(tmp_path, error_line):
    line = error_line(main(["export", str(tmp_path / "none"), "--out", str(tmp_path / "out")]))
    assert line.endswith("no such RUN folder; edge-train train writes one")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_bundle_is_one_clear_line(tmp_path, error_line):
    assert "no such bundle folder" in error_line(main(["verify", str(tmp_path / "none")]))


@pytest.mark.parametrize(
    "wrong",
    [
        ["--formats", "int4.tflite"],
        ["--min-agreement", "1.5"],
        ["--min-agreement", "much"],
        ["--nonsense"],
        ["--calibration-images", "99"],
        ["--target", "mips"],
    ],
)
def test_wrong_usage_is_exit_code_2(tmp_path, capsys, wrong):
    assert main(["export", str(tmp_path), "--out", str(tmp_path / "out"), *wrong]) == 2
    assert ": error: " in capsys.readouterr().err


def test_formats_may_name_a_whole_format_and_single_artifacts(tiny_run, tmp_path, capsys):
    out = tmp_path / "bundle"
    arguments = ["export", str(tiny_run.folder), "--out", str(out), "--json", "--jobs", "0"]
    assert main([*arguments, "--formats", "onnx", "float32.tflite", "float32.onnx"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [item["name"] for item in report["artifacts"]] == ["float32.onnx", "int8.onnx", "float32.tflite"]


def test_export_prints_one_row_an_artifact(tiny_run, tmp_path, capsys):
    assert (
        main(["export", str(tiny_run.folder), "--out", str(tmp_path / "b"), "--formats", "int8.tflite", "--jobs", "0"])
        == 0
    )
    out, err = capsys.readouterr()
    header, row = out.splitlines()
    assert f"next: edge-run classify {tmp_path / 'b'} photo.jpg" in err.splitlines()[-1]
    assert str(tmp_path / "b/report.html") in err.splitlines()[-2]
    assert header.split() == ["artifact", "size", "kB", "accuracy", "agreement", "ms"]
    assert row.startswith("int8.tflite")
