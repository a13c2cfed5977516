"""The benchmark page and the tables in README.md are generated from benchmarks/results."""

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
    assert not any(make({}) for make in sections.README_TABLES.values())


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
