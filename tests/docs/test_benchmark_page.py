"""The benchmark page and README's tables are what benchmarks/page.py makes of benchmarks/results."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location

from manual import ROOT

BENCHMARKS = ROOT / "benchmarks"


def loaded(name):
    spec = spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_page_is_what_the_committed_results_say():
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "page.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_result_that_is_missing_leaves_its_section_out():
    sections = loaded("sections")
    assert not any(make({}) for make in sections.SECTIONS)
    assert not any(make({}) for make in sections.README_TABLES.values())


def test_a_ratio_is_to_the_first_program():
    sections = loaded("sections")
    rows = [
        {"name": "ours", "cold_ms": 200.0, "peak_mb": 60.0},
        {"name": "theirs", "cold_ms": 900.0, "peak_mb": 180.0},
    ]
    lines = sections.other_runtimes_table({"other_runtimes": {"peers": rows}}).splitlines()
    assert lines[2].startswith("| ours | 200 | 60 |")
    assert lines[3].startswith("| theirs | 900 (x4.5) | 180 (x3) |")


def test_make_bench_knows_every_benchmark():
    run_all = loaded("run_all")
    scripts = {path.stem for path in BENCHMARKS.glob("*.py")} - run_all.OTHERS
    assert scripts <= set(run_all.ARGUMENTS)
