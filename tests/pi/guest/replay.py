"""What a device makes of bundles and photographs, as one JSON object: run on a Pi, and on the host to compare.

python replay.py '{"bundles": {"FOLDER": ["ARTIFACT", ...]}, "photographs": ["FILE", ...]}'
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any

from edge_runtime import Classifier
from edge_runtime.cli import main
from edge_runtime.golden import input_digest
from edge_runtime.preprocess import preprocess


def edge_run(*words: str) -> tuple[int, list[dict[str, Any]], str]:
    """Run the command in this process, for a guest cannot start another: exit code, JSON lines, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def replay(bundle: str, artifact: str, photographs: list[str]) -> dict[str, Any]:
    """Give an artifact's self-test, what `classify` says, and the preprocessed tensors and outputs themselves."""
    chosen = ("--artifact", artifact)
    selftest = edge_run("selftest", bundle, "--json", *chosen)
    classified = edge_run("classify", bundle, *photographs, "--json", "--threads", "1", "--workers", "1", *chosen)
    classifier = Classifier.open(bundle, artifact=artifact, threads=1)
    inputs = [preprocess(path, classifier.spec) for path in photographs]
    return {
        "selftest": selftest,
        "classify": [classified[0], [line.get("label") for line in classified[1]], classified[2]],
        "tensors": [input_digest(pixels) for pixels in inputs],
        "outputs": [classifier.backend.run(pixels[None])[0].tolist() for pixels in inputs],
    }


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    found = {
        f"{bundle}/{artifact}": replay(bundle, artifact, asked["photographs"])
        for bundle, artifacts in asked["bundles"].items()
        for artifact in artifacts
    }
    print(json.dumps(found))
