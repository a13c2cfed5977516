"""Classify preprocessed pixels with MediaPipe Tasks.

Usage: classify_in_mediapipe.py MODEL PIXELS.npy RESULT.json, in the environment in which MediaPipe is installed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mediapipe
import numpy as np
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

if __name__ == "__main__":
    model, pixels, result = sys.argv[1:]
    options = vision.ImageClassifierOptions(base_options=tasks.BaseOptions(model_asset_path=model))
    found = []
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for image in np.load(pixels):
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
            top = classifier.classify(picture).classifications[0].categories[0]
            found.append([top.category_name, top.score])
    Path(result).write_text(json.dumps(found))
