"""Classify photographs with MediaPipe's ImageClassifier. Runs in an environment that has MediaPipe.

python benchmarks/peer_mediapipe.py MODEL.tflite PHOTO...
"""

import sys

import mediapipe
from mediapipe.tasks.python import BaseOptions, vision

options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=sys.argv[1]), max_results=1)
with vision.ImageClassifier.create_from_options(options) as classifier:
    for path in sys.argv[2:]:
        found = classifier.classify(mediapipe.Image.create_from_file(path))
        print(found.classifications[0].categories[0].index)
