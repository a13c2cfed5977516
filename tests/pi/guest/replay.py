"""Run bundles on photographs and print the results as one JSON object, on a device or on the host.

python replay.py '{"bundles": {"FOLDER": ["ARTIFACT", ...]}, "photographs": ["FILE", ...]}'
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any

from edge_runtime import Bundle
from edge_runtime.cli import main
from edge_runtime.image.preprocess import preprocess
from edge_runtime.selftest.golden import input_digest


def edge_run(*words: str) -> tuple[int, list[dict[str, Any]], str]:
    """Run the command in this process, which may not start another; return exit code, JSON lines and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def replay(bundle: str, artifact: str, photographs: list[str]) -> dict[str, Any]:
    """Return the results of an artifact's self-test and of `classify`, and digests of the preprocessed tensors."""
    chosen = ("--artifact", artifact)
    selftest = edge_run("selftest", bundle, "--json", *chosen)
    spec = Bundle.open(bundle).spec
    words = ("--json", "--top-k", str(len(spec.labels)), "--threads", "1", "--workers", "1", *chosen)
    code, lines, stderr = edge_run("classify", bundle, *photographs, *words)
    return {
        "selftest": selftest,
        "classify": [code, [line.get("label") for line in lines], stderr],
        "tensors": [input_digest(preprocess(path, spec)) for path in photographs],
        "scores": [[_score(line, label) for label in spec.labels] for line in lines],
    }


def _score(line: dict[str, Any], label: str) -> float:
    return next((float(item["score"]) for item in line["top"] if item["label"] == label), 0.0)


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    results = {
        f"{bundle}/{artifact}": replay(bundle, artifact, arguments["photographs"])
        for bundle, artifacts in arguments["bundles"].items()
        for artifact in artifacts
    }
    print(json.dumps(results))
