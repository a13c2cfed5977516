from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.doctor import cameras, libraries, system
from edge_runtime.system.device_state import Throttling, governor, parse_throttled, temperature_c

CHECKS = {
    "system",
    "C library",
    "processor",
    "memory",
    "space",
    "heat and power",
    "clock",
    "Python",
    "numpy",
    "pillow",
    "cameras",
}


def test_every_problem_of_this_device_has_a_fix(edge_run):
    code, out, err = edge_run("doctor", "--json")
    findings = [json.loads(line) for line in out]
    assert err == []
    assert {finding["check"] for finding in findings} >= CHECKS
    assert all(bool(finding["fix"]) != (finding["state"] == "ok") for finding in findings)
    assert code == any(finding["state"] == "broken" for finding in findings)


def test_the_text_has_one_line_per_finding_and_one_per_fix(edge_run, monkeypatch):
    monkeypatch.setattr(libraries, "import_problem", lambda _: None)  # the test above imports the libraries
    _, out, _ = edge_run("doctor")
    assert all(line.startswith(("ok ", "note ", "warning ", "BROKEN ", "         fix: ")) for line in out)


def test_it_needs_only_the_standard_library_and_reports_missing_libraries():
    code = """
import sys
sys.modules.update(dict.fromkeys(["numpy", "PIL", "ai_edge_litert", "tflite_runtime", "onnxruntime", "av", "paho"]))
from edge_runtime.cli import main
code = main(["doctor", "--json"])
assert not {name for name in ("numpy", "PIL") if sys.modules.get(name)}
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    findings = {finding["check"]: finding for finding in map(json.loads, done.stdout.splitlines())}
    assert (done.returncode, done.stderr) == (1, "")
    assert findings["numpy"]["fix"] == "pip install numpy"
    assert findings["runtimes"]["fix"] == "pip install 'edgewise[pi]'"


def test_tflite_runtime_with_numpy_2_is_broken():
    finding = libraries.runtime("tflite-runtime", "2.1.0", lambda _: None)
    assert (finding.state, finding.fix) == ("broken", "pip install 'numpy<2'")
    assert libraries.runtime("tflite-runtime", "1.26.4", lambda _: None).state == "ok"
    assert libraries.runtime("litert", "2.1.0", lambda _: None).state == "ok"


def test_a_library_that_crashes_at_import_is_reported(monkeypatch, tmp_path):
    (tmp_path / "crashes.py").write_text("import os; os.abort()")
    (tmp_path / "fails.py").write_text("raise ImportError('libfoo.so.1: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert libraries.import_problem("crashes") == "the process was killed by signal 6"
    assert "libfoo.so.1" in libraries.import_problem("fails")
    assert libraries.runtime("onnx", "1.26.4", lambda _: "ImportError: no").state == "broken"


@pytest.mark.parametrize(
    ("finding", "state"),
    [
        (system.bitness("aarch64", 64), "ok"),
        (system.bitness("aarch64", 32), "warning"),
        (system.bitness("armv7l", 32), "warning"),
        (system.c_library("glibc 2.36"), "ok"),
        (system.c_library("glibc 2.24"), "broken"),
        (system.c_library(None), "broken"),
        (system.memory("MemAvailable:    8000000 kB\n"), "ok"),
        (system.memory("MemAvailable:      50000 kB\n"), "warning"),
        (system.heat(50.0, Throttling((), ())), "ok"),
        (system.heat(85.0, None), "warning"),
        (system.heat(60.0, Throttling((), ("throttled",))), "warning"),
        (system.heat(60.0, Throttling(("under-voltage",), ("under-voltage",))), "broken"),
        (system.clock(1970, synchronized=None), "broken"),
        (system.clock(2026, synchronized=False), "warning"),
        (system.clock(2026, synchronized=True), "ok"),
        (libraries.python((3, 9)), "broken"),
        (libraries.python((3, 11)), "ok"),
    ],
)
def test_each_fact_gets_its_state(finding, state):
    assert finding.state == state
    assert bool(finding.fix) != (state == "ok")


def test_the_output_of_vcgencmd_is_parsed():
    assert parse_throttled("throttled=0x0\n") == Throttling((), ())
    assert parse_throttled("throttled=0x50005\n") == Throttling(
        ("under-voltage", "throttled"), ("under-voltage", "throttled")
    )
    assert parse_throttled("error") is None


def test_the_temperature_is_that_of_the_hottest_readable_zone(tmp_path):
    for number, text in enumerate(["41000\n", "63250\n", "nonsense"]):
        (tmp_path / f"thermal_zone{number}").mkdir()
        (tmp_path / f"thermal_zone{number}" / "temp").write_text(text)
    assert temperature_c(tmp_path) == 63.25
    assert temperature_c(tmp_path / "none") is None


def test_the_frequency_governor_is_none_if_the_system_has_none(tmp_path):
    (tmp_path / "scaling_governor").write_text("ondemand\n")
    assert governor(tmp_path / "scaling_governor") == "ondemand"
    assert governor(tmp_path / "none") is None


def test_the_processor_is_reported_with_its_int8_instructions():
    pi = "processor : 0\nFeatures : fp asimd asimddp\n\nModel : Raspberry Pi 5 Model B Rev 1.0\n"
    assert system.processor(pi, 4).says == "Raspberry Pi 5 Model B Rev 1.0, 4 cores, int8 instructions: dot product"
    assert "int8 instructions: none" in system.processor("", 1).says


def test_a_camera_without_permission_names_the_group_to_join(tmp_path, monkeypatch):
    (tmp_path / "video0").write_text("")
    (tmp_path / "video10").write_text("")
    names = tmp_path / "names"
    (names / "video0").mkdir(parents=True)
    (names / "video0" / "name").write_text("HD Webcam\n")
    assert next(cameras.video_devices(tmp_path, names)).says == f"{tmp_path}/video0 (HD Webcam)"
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "video0")
    locked, other = cameras.video_devices(tmp_path, names)
    assert locked.state == "broken"
    assert "sudo usermod -aG" in locked.fix or "log out" in locked.fix
    assert other.says.startswith(f"{tmp_path}/video10")


def test_a_raspberry_pi_without_picamera2_gets_the_install_command(tmp_path):
    (tmp_path / "model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    assert cameras.is_raspberry_pi(tmp_path / "model")
    assert not cameras.is_raspberry_pi(tmp_path / "none")
    assert "python3-picamera2" in cameras.pi_camera(installed=False).fix
    assert cameras.pi_camera(installed=True).state == "ok"
    assert next(cameras.video_devices(tmp_path, tmp_path)).state == "note"
