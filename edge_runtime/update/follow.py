"""Follow the link `current` of a models folder: a running command takes the new model without a restart."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import EdgeError, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge_runtime.classify.classifier import Classifier

LOOK_S = 1.0  # between two looks at the link


def target_of(bundle: str) -> str | None:
    """Return where a link leads; None for a folder, which is not followed."""
    try:
        return str(Path(bundle).readlink())
    except OSError:
        return None


@contextmanager
def following(
    bundle: str, seen: str | None, open_model: Callable[[], Classifier], switch: Callable[[Classifier], None]
) -> Iterator[None]:
    """Look at a link in a thread of its own while the block runs, and switch when it leads elsewhere.

    Args:
        bundle: the bundle of the command line; only a link is followed.
        seen: where the link led before the present model was opened, see `target_of`.
        open_model: opens the bundle.
        switch: makes the opened and warmed up model the one that decides.

    """
    if seen is None:
        yield
        return
    end = threading.Event()
    arguments = (bundle, seen, open_model, switch, end)
    thread = threading.Thread(target=_follow, args=arguments, name="follow current", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _follow(
    bundle: str,
    seen: str,
    open_model: Callable[[], Classifier],
    switch: Callable[[Classifier], None],
    end: threading.Event,
) -> None:
    import numpy as np  # loaded by the model already; the import would slow down --help

    while not end.wait(LOOK_S):
        target = target_of(bundle)
        if target in {None, seen}:
            continue
        try:
            classifier = open_model()
            spec = classifier.spec
            # The first run allocates memory and would delay a frame.
            classifier.backend.run(np.full((1, spec.height, spec.width, 3), 128, np.uint8))
            switch(classifier)
        except EdgeError as problem:
            print(f"edge-run: {target}: not taken: {one_line(problem)}", file=sys.stderr, flush=True)
        else:
            print(f"edge-run: now running {target}", file=sys.stderr, flush=True)
        seen = str(target)
