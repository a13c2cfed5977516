"""Classify frames again and again, marking each stage of each, for the plugin that counts instructions.

    python frame_cost.py BUNDLE ARTIFACT TIMES FILE...

A FILE is an encoded photograph, or an .npy of a camera's RGB pixels. Each frame begins with mark START, and each of its
stages ends with its own.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime import Classifier
from edge_runtime.classify import classifier as stages

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = 0x7E570000
START, DECODE, RESIZE, INPUT, INVOKE, OUTPUT, DECIDE = range(7)


def mark(number: int) -> None:
    """Tell the plugin; to the kernel it is a question about a process that does not exist."""
    with suppress(OSError):
        os.getsid(MARK + number)


def marked(function: Callable[..., Any], number: int) -> Callable[..., Any]:
    """Give a function that marks its end."""

    def call(*arguments: Any, **settings: Any) -> Any:
        result = function(*arguments, **settings)
        mark(number)
        return result

    return call


def main(bundle: str, artifact: str, times: int, files: list[str]) -> None:
    """Mark where `Classifier.classify` passes from one stage to the next, without changing what it does."""
    classifier = Classifier.open(bundle, artifact=artifact, threads=1)
    interpreter = classifier.backend._interpreter  # type: ignore[attr-defined]
    invoke = marked(interpreter.invoke, INVOKE)
    interpreter.invoke = lambda: (mark(INPUT), invoke())
    stages.load_image = marked(stages.load_image, DECODE)
    stages.to_input = marked(stages.to_input, RESIZE)
    classifier.backend.run = marked(classifier.backend.run, OUTPUT)  # type: ignore[method-assign]
    for file in files:
        frame = np.load(file) if file.endswith(".npy") else Path(file).read_bytes()
        for _ in range(times):
            mark(START)
            classifier.classify(frame)
            mark(DECIDE)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
