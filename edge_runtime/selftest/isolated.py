"""Run the self-test in a child process: a model file that crashes its runtime is a failed self-test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_runtime import errors
from edge_runtime.backends.names import choose_backend
from edge_runtime.classify.classifier import runnable_artifact
from edge_runtime.errors import EdgeError, InferenceError
from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.replay import Difference, Selftest, selftest
from edge_runtime.system.child import ask_child

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.backends.names import BackendName

TIMEOUT_S = 600.0  # a large model takes long to load on a small device


def selftest_in_child(
    folder: Path, *, artifact: str | None = None, backend: BackendName | None = None, explain: bool = False
) -> Selftest:
    """Run `selftest` in a child process; see there for arguments, result and errors.

    If the child crashes or does not end within TIMEOUT_S, this is the difference of the stage "infer". Where no child
    can be started, the self-test runs in this process.
    """
    bundle = Bundle.open(folder)
    chosen = bundle.artifact(artifact) if artifact else runnable_artifact(bundle, backend)
    name = choose_backend(chosen.format, backend)
    words = (str(folder), chosen.name, name, str(explain))
    try:
        answer = ask_child("edge_runtime.selftest.worker", *words, timeout_s=TIMEOUT_S)
    except OSError:
        return selftest(folder, artifact=chosen.name, backend=name, explain=explain)
    except InferenceError as problem:
        message = f"infer: {chosen.file.path} in {name}: {problem}; export the model again"
        return Selftest(chosen.name, name, 0, Difference("infer", chosen.file.path, None, message))
    if "error" in answer:
        error: type[EdgeError] = getattr(errors, answer["type"])
        raise error(answer["error"])
    result = answer["result"]
    difference = result.pop("difference")
    return Selftest(**result, difference=Difference(**difference) if difference else None)
