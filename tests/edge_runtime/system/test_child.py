"""Child processes that answer, crash, hang and fail."""

from __future__ import annotations

import sys

import pytest

from edge_runtime.errors import InferenceError
from edge_runtime.system.child import ask_child


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Return a function that writes a module and returns its name."""

    def write(text):
        (tmp_path / "answering.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return "answering"

    return write


def test_a_module_gets_the_arguments_and_answers_with_an_object(module):
    name = module("import sys, json; print(json.dumps({'arguments': sys.argv[1:]}))")
    assert ask_child(name, "a", "b c", timeout_s=20) == {"arguments": ["a", "b c"]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import os; os.abort()", r"the runtime crashed \(SIGABRT\)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"the runtime crashed \(SIGSEGV\)"),
        ("raise SystemExit('a reason')", "^a reason$"),
        ("raise SystemExit(3)", "exited with code 3"),
        ("print('[1]')", "exited with code 0"),
        ("print('no JSON')", "exited with code 0"),
    ],
)
def test_a_child_without_an_answer_is_an_inference_error(module, text, reason):
    with pytest.raises(InferenceError, match=reason):
        ask_child(module(text), timeout_s=20)


def test_a_child_that_hangs_is_killed(module):
    with pytest.raises(InferenceError, match=r"did not end within 0\.2 s"):
        ask_child(module("import time; time.sleep(60)"), timeout_s=0.2)


@pytest.mark.parametrize("code", ["import sys; sys.exit(127)", None])
def test_an_interpreter_that_cannot_be_started_is_an_os_error(module, monkeypatch, tmp_path, code):
    if code is None:
        program = tmp_path / "python"
        program.write_bytes(b"\x00not a program")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(OSError, match=r"."):
        ask_child(module(code or ""), timeout_s=20)
