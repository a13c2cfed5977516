"""Write a MobileNetV2 backbone whose random weights are fit to be exported: python backbone.py FILE.weights.h5.

Without batch-norm statistics of real pictures a random network's values fade away within a dozen layers, and nothing
is left to quantize. Here each layer is normalised by what it makes of noise.
"""

from __future__ import annotations

import sys

import keras
import numpy as np

SIDE, PICTURES, PATCH = 96, 32, 12
BRANCH = 0.1  # of what a block adds: a deep random network makes much of the smallest difference between two kernels

if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    backbone = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # its statistics become those of the one batch below
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.Add):
            branch = layer.input[1]._keras_history.operation
            branch.gamma.assign(branch.gamma * BRANCH)
    random = np.random.default_rng(0)
    coarse = random.uniform(-1, 1, (PICTURES, SIDE // PATCH, SIDE // PATCH, 3))
    backbone(coarse.repeat(PATCH, 1).repeat(PATCH, 2).astype(np.float32), training=True)
    backbone.save_weights(sys.argv[1])
