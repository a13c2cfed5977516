"""Report on stderr what a long command does: its steps, and at the end what it made and what comes next."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EVERY_S = 0.5
DETAIL = "  "  # a line that begins with it is a detail of the present step
ERASE_LINE = "\r\x1b[K"


class Steps:
    """Print each step as a line. On a terminal, a line below it shows the present detail and the step's seconds.

    Details, which count what is done within a step, are shown only on a terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._lock = threading.Lock()
        self._detail = ""
        self._began_s = time.monotonic()
        self._ended = threading.Event()

    def __call__(self, line: str) -> None:
        """Begin a step, or, if the line begins with DETAIL, show a detail of the present one."""
        with self._lock:
            if line.startswith(DETAIL):
                self._detail = line.strip()
            else:
                self._detail, self._began_s = "", time.monotonic()
                self._stream.write(f"{ERASE_LINE if self._terminal else ''}{line}\n")
                self._stream.flush()
            self._draw()

    def follow(self) -> None:
        """Redraw the seconds until the steps end."""
        while not self._ended.wait(EVERY_S):
            with self._lock:
                self._draw()

    def end(self) -> None:
        """Clear the line of the present step."""
        with self._lock:
            self._ended.set()
            if self._terminal:
                self._stream.write(ERASE_LINE)
                self._stream.flush()

    def _draw(self) -> None:
        if self._terminal and not self._ended.is_set():
            line = f"{DETAIL}{self._detail}  {time.monotonic() - self._began_s:.0f} s"
            self._stream.write(ERASE_LINE + line[: shutil.get_terminal_size().columns - 1])
            self._stream.flush()


@contextmanager
def reported_steps() -> Iterator[Steps]:
    """Yield a function that reports steps on stderr; on a terminal, the seconds go on in between."""
    steps = Steps(sys.stderr)
    follower = threading.Thread(target=steps.follow, name="steps", daemon=True)
    if sys.stderr.isatty():
        follower.start()
    try:
        yield steps
    finally:
        steps.end()


def report_next(program: str, made: str, *commands: Sequence[object]) -> None:
    """Print to stderr what a command made and the commands that come next.

    Args:
        program: the name of the program, such as "edge-train".
        made: what was made and where; an empty text for a command that made nothing.
        commands: the words of each command.

    """
    import shlex

    if made:
        print(f"{program}: {made}", file=sys.stderr)
    following = "  or  ".join(shlex.join([str(word) for word in words]) for words in commands)
    print(f"next: {following}", file=sys.stderr, flush=True)
