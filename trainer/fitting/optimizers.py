"""The optimizers and their learning rate schedules."""

from __future__ import annotations

from typing import Any

import keras

WARM_UP = 0.05  # fraction of all steps
LAST_RATE = 0.01  # fraction of the maximum rate
UNDECAYED = [
    "bias",
    "gamma",
    "beta",
]  # weight decay on these parameters would shrink values that should not be restricted


def adam(rate: float, *, steps: int, weight_decay: float) -> Any:  # noqa: ANN401 - Keras ships no types
    """Return AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) with warm-up and cosine decay over `steps` steps."""
    return _sparing(keras.optimizers.AdamW(schedule(rate, steps), weight_decay=weight_decay))


def rmsprop(rate: float, *, steps: int, weight_decay: float) -> Any:  # noqa: ANN401 - Keras ships no types
    """Return RMSprop with warm-up and cosine decay over `steps` steps."""
    return _sparing(keras.optimizers.RMSprop(schedule(rate, steps), weight_decay=weight_decay or None))


def schedule(rate: float, steps: int) -> Any:  # noqa: ANN401 - Keras ships no types
    """Return a schedule that rises to `rate` and then falls along a cosine.

    Loshchilov and Hutter 2017, arXiv:1608.03983.
    """
    warm_up = max(1, round(WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), alpha=LAST_RATE, warmup_target=rate, warmup_steps=warm_up
    )


def _sparing(optimizer: Any) -> Any:  # noqa: ANN401 - Keras ships no types
    if optimizer.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=UNDECAYED)
    return optimizer
