"""What a device makes of bundles and photographs, as one JSON object: run on a Pi, and on the host to compare.

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
    """Run the command in this process, for a guest cannot start another: exit code, JSON lines, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def replay(bundle: str, artifact: str, photographs: list[str]) -> dict[str, Any]:
    """Give an artifact's self-test, what `classify` says, and the preprocessed tensors."""
    chosen = ("--artifact", artifact)
    selftest = edge_run("selftest", bundle, "--json", *chosen)
    spec = Bundle.open(bundle).spec
    words = ("--json", "--top-k", str(len(spec.labels)), "--threads", "1", "--workers", "1", *chosen)
    code, lines, said = edge_run("classify", bundle, *photographs, *words)
    return {
        "selftest": selftest,
        "classify": [code, [line.get("label") for line in lines], said],
        "tensors": [input_digest(preprocess(path, spec)) for path in photographs],
        "scores": [[_score(line, label) for label in spec.labels] for line in lines],
    }


def _score(line: dict[str, Any], label: str) -> float:
    return next((float(item["score"]) for item in line["top"] if item["label"] == label), 0.0)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    found = {
        f"{bundle}/{artifact}": replay(bundle, artifact, asked["photographs"])
        for bundle, artifacts in asked["bundles"].items()
        for artifact in artifacts
    }
    print(json.dumps(found))
