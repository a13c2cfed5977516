from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.image.quantize import dequantize, quantize, quantize_pixels


def test_hand_computed_values():
    real = np.array([0.0, 0.5, 1.0, -0.5], np.float32)
    # 0.5 / 0.25 = 2; 1 / 0.25 = 4; -2
    assert quantize(real, 0.25, 10, np.int8).tolist() == [10, 12, 14, 8]


def test_rounds_half_to_even():
    assert quantize(np.array([0.5, 1.5, 2.5, -0.5, -1.5]), 1.0, 0, np.int8).tolist() == [0, 2, 2, 0, -2]


def test_rounds_before_it_clips_and_clips_before_it_casts():
    real = np.array([127.4, 127.6, 1e9, -128.4, -1e9], np.float32)
    assert quantize(real, 1.0, 0, np.int8).tolist() == [127, 127, 127, -128, -128]
    assert quantize(np.array([-0.4, -0.6, 255.4, 300.0]), 1.0, 0, np.uint8).tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16])
def test_gives_the_type_and_shape_asked_for(dtype):
    quantized = quantize(np.zeros((2, 3), np.float32), 0.1, 0, dtype)
    assert quantized.dtype == dtype
    assert quantized.shape == (2, 3)


def test_dequantize_widens_before_the_zero_point_leaves():
    # int8 arithmetic would wrap: -128 - 127 = -255 does not fit
    assert dequantize(np.array([-128, 127], np.int8), 0.5, 127).tolist() == [-127.5, 0.0]
    assert dequantize(np.array([0, 255], np.uint8), 0.5, 255).tolist() == [-127.5, 0.0]


def test_dequantized_is_float32():
    assert dequantize(np.array([1], np.uint8), 1 / 256, 0).dtype == np.float32


@pytest.mark.parametrize("seed", range(20))
def test_there_and_back_is_within_half_a_step(seed):
    rng = np.random.default_rng(seed)
    scale = float(10 ** rng.uniform(-4, 1))
    zero_point = int(rng.integers(-128, 128))
    real = ((rng.uniform(-128, 127, 500) - zero_point) * scale).astype(np.float32)
    back = dequantize(quantize(real, scale, zero_point, np.int8), scale, zero_point)
    assert np.abs(back - real).max() <= scale * 0.5001


@pytest.mark.parametrize("seed", range(5))
def test_every_quantized_value_survives_the_way_back(seed):
    rng = np.random.default_rng(seed)
    scale, zero_point = float(10 ** rng.uniform(-4, 1)), int(rng.integers(-128, 128))
    every = np.arange(-128, 128, dtype=np.int8)
    assert (quantize(dequantize(every, scale, zero_point), scale, zero_point, np.int8) == every).all()


@pytest.mark.parametrize(("zero_point", "dtype"), [(0, np.uint8), (-128, np.int8)])
def test_the_short_ways_for_pixels_equal_the_formula(zero_point, dtype):
    pixels = np.arange(256, dtype=np.uint8)
    expected = quantize(pixels.astype(np.float32), 1.0, zero_point, dtype)
    quantized = quantize_pixels(pixels, 1.0, zero_point, dtype)
    assert quantized.dtype == dtype
    assert (quantized == expected).all()


def test_pixels_of_another_scale_take_the_formula():
    # a model whose input stands for 0..1 in steps of 1/255 would saturate; one of 0..510 uses half its range
    assert quantize_pixels(np.array([0, 100, 255], np.uint8), 2.0, 0, np.uint8).tolist() == [0, 50, 128]


def test_passing_uint8_through_copies_nothing():
    pixels = np.zeros(4, np.uint8)
    assert quantize_pixels(pixels, 1.0, 0, np.uint8) is pixels
