"""The optimizers and their learning rate schedules."""

from __future__ import annotations

from typing import Any

import keras

WARM_UP = 0.05  # fraction of all steps
FINAL_RATE = 0.01  # fraction of the maximum rate
NOT_DECAYED = ["bias", "gamma", "beta"]  # offsets and scales, which weight decay would only distort


def adam(rate: float, *, steps: int, weight_decay: float) -> Any:  # noqa: ANN401 - Keras ships no types
    """Return AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) with warm-up and cosine decay over `steps` steps."""
    return _without_decay_of_offsets(keras.optimizers.AdamW(schedule(rate, steps), weight_decay=weight_decay))


def rmsprop(rate: float, *, steps: int, weight_decay: float) -> Any:  # noqa: ANN401 - Keras ships no types
    """Return RMSprop with warm-up and cosine decay over `steps` steps."""
    return _without_decay_of_offsets(keras.optimizers.RMSprop(schedule(rate, steps), weight_decay=weight_decay or None))


def schedule(rate: float, steps: int) -> Any:  # noqa: ANN401 - Keras ships no types
    """Return a schedule that rises linearly to `rate` and then falls along a cosine to FINAL_RATE of it.

    Cosine decay: Loshchilov and Hutter 2017, arXiv:1608.03983.

    Args:
        rate: the maximum learning rate.
        steps: number of steps of the fit; the first WARM_UP of them are the rise.

    """
    warm_up = max(1, round(WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), alpha=FINAL_RATE, warmup_target=rate, warmup_steps=warm_up
    )


def _without_decay_of_offsets(optimizer: Any) -> Any:  # noqa: ANN401 - Keras ships no types
    """Exclude offsets and scales from an optimizer's weight decay; return the optimizer."""
    if optimizer.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    return optimizer
