"""Lines to a reader that may be slow."""

from __future__ import annotations

import os

import pytest

from edge_runtime.live.sinks.lines import QueuedLines


@pytest.fixture
def pipe():
    """Return the two ends of a pipe as files: the reader and the writer."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as reader, os.fdopen(writing, "w", encoding="ascii", errors="backslashreplace") as writer:
        yield reader, writer


def test_lines_arrive_complete_and_in_order(pipe):
    reader, writer = pipe
    lines = QueuedLines(writer)
    for number in range(100):
        lines.write(f"{number}\n")
    lines.write("Krähe\n")
    lines.close()
    assert [reader.readline() for _ in range(101)] == [*(f"{number}\n" for number in range(100)), "Kr\\xe4he\n"]


def test_the_oldest_lines_are_dropped_if_the_reader_does_not_read(pipe, capfd):
    reader, writer = pipe
    lines = QueuedLines(writer, capacity=5)
    long = "x" * 1000
    for number in range(1000):  # more than fits into a pipe
        lines.write(f"{number} {long}\n")
    counts = lines.outbox.counts()
    assert counts.dropped > 500
    in_pipe = [int(reader.readline().split()[0]) for _ in range(1000 - counts.dropped)]
    lines.close()
    assert in_pipe[-5:] == list(range(995, 1000))
    assert in_pipe == sorted(in_pipe)
    reports = capfd.readouterr().err.splitlines()
    assert reports[0].startswith("edge-run: standard output: the queue is full (")
    assert reports[1:] == [f"edge-run: standard output: closed (lines waiting: 0, dropped so far: {counts.dropped})"]


def test_a_closed_reader_is_reported_by_the_next_write(pipe, wait_until):
    reader, writer = pipe
    lines = QueuedLines(writer)
    reader.close()

    def refused():
        try:
            lines.write("never read\n")
        except BrokenPipeError:
            return True
        return False

    wait_until(refused)
    lines.close()


def test_closing_does_not_wait_for_a_reader_that_never_reads(pipe):
    _, writer = pipe
    lines = QueuedLines(writer)
    lines.write("x" * 1_000_000 + "\n")
    lines.outbox.close(0.05)
    assert lines.outbox.counts().dropped == 1
