"""The README, followed to the letter: its console commands run in order, on real photographs, in one folder."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = {"edge-train": "trainer.cli", "edge-export": "export.cli", "edge-run": "edge_runtime.cli"}
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?")


class Shown(NamedTuple):
    """A command and the lines that the README shows under it."""

    line: str
    output: list[str]


class Ran(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


def shown_commands() -> list[Shown]:
    found: list[Shown] = []
    for block in re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Shown(line[2:], []))
            elif line.strip():
                found[-1].output.append(line)
    return found


def run(line: str, folder: Path) -> Ran:
    name, *words = shlex.split(line)
    command = [sys.executable, "-m", MODULES[name], *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def followed(shared, tmp_path_factory) -> tuple[Path, dict[str, Ran]]:
    """Run the README's commands; give the folder and what each gave."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "cats-dogs").symlink_to(shared("data/cats-dogs"))
    weights = shared("weights/mobilenet_v2_1.0_160_notop.weights.h5")
    (folder / "mobilenet_v2.weights.h5").symlink_to(weights)
    return folder, {shown.line: run(shown.line, folder) for shown in shown_commands()}


def test_there_are_commands_to_follow():
    assert {shown.line.split()[0] for shown in shown_commands()} == set(MODULES)


@pytest.mark.slow
@pytest.mark.parametrize("shown", shown_commands(), ids=lambda shown: shown.line)
def test_every_command_of_the_readme_succeeds_as_shown(followed, shown):
    ran = followed[1][shown.line]
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err
    if shown.output:
        assert layout(ran.out.splitlines()) == layout(shown.output)


def layout(lines: list[str]) -> list[str]:
    """Reduce output to what does not vary with the machine: its words, with every number as `#`."""
    return [" ".join(NUMBER.sub("#", line).split()) for line in lines if line.strip()]


@pytest.mark.slow
def test_the_fine_tuned_mobilenet_reaches_97_percent_on_photographs_it_never_saw(followed):
    metrics = json.loads((followed[0] / "run" / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] >= 0.97


@pytest.mark.slow
def test_its_bundle_holds_six_artifacts_that_decide_like_it(followed):
    manifest = json.loads((followed[0] / "bundle" / "manifest.json").read_text())
    parity = {artifact["name"]: artifact["parity"] for artifact in manifest["artifacts"]}
    assert len(parity) == 6
    assert parity["float32.tflite"]["top1_agreement"] == 1
    assert min(item["top1_agreement"] for item in parity.values()) >= 0.98


@pytest.mark.slow
def test_its_int8_file_is_at_most_2_8_megabytes(followed):
    assert (followed[0] / "bundle" / "model.int8.tflite").stat().st_size <= 2_800_000


@pytest.mark.slow
def test_it_names_the_photographs_of_a_folder(followed):
    ran = run("edge-run classify bundle cats-dogs --json", followed[0])
    assert ran.code == 0, ran.err
    rows = [json.loads(line) for line in ran.out.splitlines()]
    right = sum(Path(row["path"]).parent.name == row["label"] for row in rows)
    assert len(rows) == 1099
    assert right / len(rows) >= 0.97


@pytest.mark.slow
def test_the_network_from_scratch_names_newly_drawn_shapes(followed):
    ran = run("edge-run classify shapes-bundle new-shapes --json", followed[0])
    rows = [json.loads(line) for line in ran.out.splitlines()]
    right = sum(Path(row["path"]).parent.name == row["label"] for row in rows)
    assert right >= 0.9 * len(rows)


@pytest.mark.slow
def test_the_python_example_runs(followed):
    (program,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=followed[0], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("cat ")


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
