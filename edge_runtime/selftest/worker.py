"""The process that `edge_runtime.selftest.isolated` starts: BUNDLE ARTIFACT BACKEND EXPLAIN ("True" or "False").

It prints one JSON object: `result`, or `error` with the `type` of the exception.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

from edge_runtime.command_line.standard_output import results_stream
from edge_runtime.errors import EdgeError
from edge_runtime.selftest.replay import selftest

if TYPE_CHECKING:
    from edge_runtime.backends.names import BackendName


def main(bundle: str, artifact: str, backend: str, explain: str) -> None:
    """Run the self-test and print the result."""
    name = cast("BackendName", backend)
    with results_stream() as stream:
        try:
            result = selftest(Path(bundle), artifact=artifact, backend=name, explain=explain == "True")
            answer: dict[str, object] = {"result": asdict(result)}
        except EdgeError as problem:
            answer = {"error": str(problem), "type": type(problem).__name__}
        json.dump(answer, stream)
        stream.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
