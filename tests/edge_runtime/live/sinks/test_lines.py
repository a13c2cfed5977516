from __future__ import annotations

import os

import pytest

from edge_runtime.live.sinks.lines import QueuedLines


@pytest.fixture
def pipe():
    """Give the two ends of a pipe, as files."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as reader, os.fdopen(writing, "w", encoding="ascii", errors="backslashreplace") as writer:
        yield reader, writer


def test_lines_arrive_whole_and_in_order(pipe):
    reader, writer = pipe
    lines = QueuedLines(writer)
    for number in range(100):
        lines.write(f"{number}\n")
    lines.write("Krähe\n")
    lines.close()
    assert [reader.readline() for _ in range(101)] == [*(f"{number}\n" for number in range(100)), "Kr\\xe4he\n"]


def test_a_reader_that_does_not_read_loses_the_oldest(pipe, capfd):
    reader, writer = pipe
    lines = QueuedLines(writer, capacity=5)
    long = "x" * 1000
    for number in range(1000):  # more than a pipe holds
        lines.write(f"{number} {long}\n")
    counts = lines.outbox.counts()
    assert counts.dropped > 500
    in_pipe = [int(reader.readline().split()[0]) for _ in range(1000 - counts.dropped)]
    lines.close()
    assert in_pipe[-5:] == list(range(995, 1000))
    assert in_pipe == sorted(in_pipe)
    told = capfd.readouterr().err.splitlines()
    assert told[0].startswith("edge-run: standard output: the queue is full (")
    assert told[1:] == [f"edge-run: standard output: closed (lines waiting: 0, dropped so far: {counts.dropped})"]


def test_a_reader_that_has_left_is_told_with_the_next_line(pipe, wait_until):
    reader, writer = pipe
    lines = QueuedLines(writer)
    reader.close()

    def refused():
        try:
            lines.write("nobody reads it\n")
        except BrokenPipeError:
            return True
        return False

    wait_until(refused)
    lines.close()


def test_a_reader_that_never_reads_holds_up_no_end(pipe):
    _, writer = pipe
    lines = QueuedLines(writer)
    lines.write("x" * 1_000_000 + "\n")
    lines.outbox.close(0.05)
    assert lines.outbox.counts().dropped == 1
