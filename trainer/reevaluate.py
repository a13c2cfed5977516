"""Measure a RUN again, from its own files alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.errors import TrainingError
from trainer.tensorflow_setup import require_tensorflow

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.evaluate import Evaluation


def evaluate_run(folder: Path) -> Evaluation:
    """Measure a RUN's model on its test photographs. Raises TrainingError or SpecError where it is damaged."""
    require_tensorflow()
    from trainer.run_dir import read_holdout, read_spec

    spec = read_spec(folder)
    holdout = read_holdout(folder, spec)
    import keras

    from trainer.evaluate import predict, score

    try:
        model = keras.models.load_model(folder / "model.keras", compile=False)
    except (OSError, ValueError) as problem:
        reason = str(problem).strip().partition("\n")[0]
        raise TrainingError(f"{folder / 'model.keras'}: not readable ({reason}); train again") from None
    return score(predict(model, holdout.pixels), holdout.targets, spec.labels)
