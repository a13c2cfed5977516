"""The sections of the benchmark page.

A section is a function that takes all results, by the names of their files, and returns Markdown. It returns an empty
string if its result is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .data_sections import learning_curve
from .fleet_section import fleet, update_kills
from .foreign_section import foreign_table
from .int8_section import int8_table
from .latency_section import latency_prediction
from .loop_section import keep_cost, loop
from .model_sections import accuracy, accuracy_table, dataset_scale, exports, rescaling, training, unknown
from .runtime_sections import (
    frame,
    mediapipe,
    mediapipe_summary,
    other_runtimes,
    other_runtimes_table,
    runtime_targets,
    soak,
    startup,
    startup_summary,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .markdown import Results

# In the order of the page.
SECTIONS: tuple[Callable[[Results], str], ...] = (
    accuracy,
    exports,
    unknown,
    learning_curve,
    loop,
    rescaling,
    frame,
    keep_cost,
    mediapipe,
    other_runtimes,
    latency_prediction,
    runtime_targets,
    startup,
    training,
    dataset_scale,
    soak,
    fleet,
    update_kills,
)
# For README.md, own-model.md and parity.md, by the names of their markers.
TABLES: dict[str, Callable[[Results], str]] = {
    "accuracy": accuracy_table,
    "foreign": foreign_table,
    "int8": int8_table,
    "other_runtimes": other_runtimes_table,
    "mediapipe": mediapipe_summary,
    "startup": startup_summary,
}
