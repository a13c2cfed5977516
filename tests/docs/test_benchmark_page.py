"""The benchmark page and the tables in README.md, own-model.md and parity.md are generated from benchmarks/results."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location

from manual import ROOT

BENCHMARKS = ROOT / "benchmarks"


def load_script(name):
    path = BENCHMARKS / name / "__init__.py" if (BENCHMARKS / name).is_dir() else BENCHMARKS / f"{name}.py"
    spec = spec_from_file_location(name, path)
    module = module_from_spec(spec)
    sys.modules[name] = module  # a package's relative imports look for it there
    spec.loader.exec_module(module)
    return module


def test_the_committed_page_matches_the_committed_results():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "page.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_section_is_omitted_if_its_result_is_missing():
    sections = load_script("sections")
    assert not any(make({}) for make in sections.SECTIONS)
    assert not any(make({}) for make in sections.TABLES.values())


def test_ratios_are_relative_to_the_first_program():
    sections = load_script("sections")
    rows = [
        {"name": "ours", "cold_ms": 200.0, "peak_mb": 60.0},
        {"name": "theirs", "cold_ms": 900.0, "peak_mb": 180.0},
    ]
    lines = sections.other_runtimes_table({"other_runtimes": {"peers": rows}}).splitlines()
    assert lines[2].startswith("| ours | 200 | 60 |")
    assert lines[3].startswith("| theirs | 900 (x4.5) | 180 (x3) |")


def test_make_bench_runs_every_benchmark():
    run_all = load_script("run_all")
    scripts = {path.stem for path in BENCHMARKS.glob("*.py")} - run_all.OTHERS
    assert scripts <= set(run_all.ARGUMENTS)


def test_a_file_that_was_refused_or_is_missing_is_shown_as_such():
    sections = load_script("sections")
    known = {"origin": "PyPI", "runtime": "Keras 2", "classes": 7, "options": ["--input-range=-1..1"]}
    measured = {"published": "float32.tflite", "agreement": 0.994, "largest_difference": 0.25, "classes_seen": 3}
    files = [
        {"file": "folder/wrong.tflite", **known, **measured, "photographs": 500, "margins": [0.0123, 0.002, 0.001]},
        {"file": "refused.onnx", **known, "refusal": "error: refused.onnx: has 2 | 3 outputs"},
        {"file": "missing.h5", **known, "not_available": True},
        {"file": "crashed.h5", **known, "bare_failure": "ValueError: no"},
    ]
    text = sections.foreign_table({"foreign": {"photographs": 500, "files": files}})
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    assert "| **99.4%** | 0.25 | 3 |" in rows["wrong.tflite"]
    assert r"refused: refused.onnx: has 2 \| 3 outputs" in rows["refused.onnx"]
    assert "not available" in rows["missing.h5"]
    assert "bare loop failed: ValueError: no" in rows["crashed.h5"]
    assert "1 of 4 files were published and compared; the top class agrees on all photographs for 0" in text
    assert "Where `wrong.tflite` differs (3 of 500 photographs), the bare loop prefers its class" in text
    assert "by at most 0.012." in text


def test_a_form_of_int8_that_failed_is_a_dash():
    sections = load_script("sections")
    forms = [{"form": [], "agreement": 0.875}, {"form": ["equalized"], "failed": "no convolutions follow each other"}]
    text = sections.int8_table({"int8_improvements": {"networks": [{"network": "N", "images": 8, "forms": forms}]}})
    assert text.splitlines()[2] == "| N | 8 | 87.5% | - | - | - | - | - | - |"
