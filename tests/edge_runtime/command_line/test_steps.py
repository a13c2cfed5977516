from __future__ import annotations

import io

from edge_runtime.command_line.steps import Steps, report_next, reported_steps


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_without_a_terminal_only_the_steps_are_printed(capsys):
    with reported_steps() as steps:
        steps("converting")
        steps("  int8.tflite (1 of 2)")
        steps("measuring")
    assert capsys.readouterr() == ("", "converting\nmeasuring\n")


def test_on_a_terminal_the_detail_and_its_seconds_are_redrawn_below_the_step(wait_until):
    stream = Terminal()
    steps = Steps(stream)
    steps("converting")
    steps("  int8.tflite (1 of 2)")
    assert stream.getvalue().endswith("\r\x1b[K  int8.tflite (1 of 2)  0 s")
    steps._began_s -= 70
    steps("  float32.onnx (2 of 2)")
    assert stream.getvalue().endswith("\r\x1b[K  float32.onnx (2 of 2)  70 s")
    steps.end()
    assert stream.getvalue().startswith("\r\x1b[Kconverting\n")
    assert stream.getvalue().endswith("\r\x1b[K")


def test_the_seconds_go_on_while_nothing_is_reported(monkeypatch, wait_until):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr("edge_runtime.command_line.steps.EVERY_S", 0.01)
    with reported_steps() as steps:
        steps("measuring")
        drawn = stream.getvalue().count("\x1b[K")
        wait_until(lambda: stream.getvalue().count("\x1b[K") > drawn + 2)


def test_a_line_is_never_longer_than_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    Steps(stream)("  " + "x" * 100)
    assert max(len(line) for line in stream.getvalue().split("\r\x1b[K")) < 30


def test_what_comes_next_can_be_pasted_into_a_shell(capsys):
    report_next("edge-train", "my run: the RUN", ["edge-export", "export", "my run", "--out", "b"], ["ls"])
    assert capsys.readouterr().err == "edge-train: my run: the RUN\nnext: edge-export export 'my run' --out b  or  ls\n"
