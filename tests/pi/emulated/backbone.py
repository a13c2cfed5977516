"""Write a MobileNetV2 backbone with random weights that can be quantized: python backbone.py FILE.weights.h5.

The activations of a random network vanish within a dozen layers, because its batch-norm statistics are not those of
its inputs, and nothing is left to quantize. Here, each batch-norm layer gets the statistics of one batch of noise.
"""

from __future__ import annotations

import sys

import keras
import numpy as np

SIDE, PICTURES, PATCH = 96, 32, 12
BRANCH = 0.1  # scale of each residual branch: a deep random network amplifies small differences between two kernels

if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    backbone = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # its statistics become those of the batch below
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.Add):
            branch = layer.input[1]._keras_history.operation
            branch.gamma.assign(branch.gamma * BRANCH)
    random = np.random.default_rng(0)
    coarse = random.uniform(-1, 1, (PICTURES, SIDE // PATCH, SIDE // PATCH, 3))
    backbone(coarse.repeat(PATCH, 1).repeat(PATCH, 2).astype(np.float32), training=True)
    backbone.save_weights(sys.argv[1])
