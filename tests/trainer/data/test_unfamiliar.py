from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from edge_runtime.familiarity.scenes import SCENES, draw_scenes, drawn_pixels, shuffled
from edge_runtime.model.spec import ModelSpec
from trainer.data.unfamiliar import folder_pixels, package_pixels

SPEC = ModelSpec(24, 32, ("a", "b"), "softmax")


def test_scenes_are_the_same_for_the_same_seed_and_differ_from_each_other():
    first, again = (np.stack([np.asarray(scene) for scene in draw_scenes(5, 3)]) for _ in range(2))
    assert (first == again).all()
    assert first.shape == (5, 480, 640, 3)
    assert len({scene.tobytes() for scene in first}) == 5
    assert not (drawn_pixels(2, SPEC, 3) == drawn_pixels(2, SPEC, 4)).all()


def test_a_night_is_dark_and_a_blurred_scene_has_no_edges():
    scenes = dict(zip(SCENES, (np.asarray(scene, float) for scene in draw_scenes(5, 1)), strict=True))
    assert scenes["night"].mean() < 40 < scenes["wall"].mean()

    def edges(scene):  # of blocks, in which the noise is averaged
        blocks = scene.reshape(60, 8, 80, 8, 3).mean(axis=(1, 3))
        return np.abs(np.diff(blocks, axis=1)).max()

    assert edges(scenes["clutter"]) > 3 * edges(scenes["blur"])


def test_shuffling_moves_parts_and_keeps_every_pixel():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 24, 34, 3)).astype(np.uint8)
    result = shuffled(pixels, 1)
    assert not (result == pixels).all()
    assert (result[:, :, 32:] == pixels[:, :, 32:]).all()  # these columns do not divide by four
    for before, after in zip(pixels, result, strict=True):
        assert sorted(map(bytes, before.reshape(-1, 3))) == sorted(map(bytes, after.reshape(-1, 3)))


def test_a_folder_is_read_without_hidden_and_damaged_files(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("a.png", "inside/b.JPG", ".hidden/c.png", ".d.png"):
        Image.new("RGB", (40, 30), "red").save(tmp_path / name)
    (tmp_path / "e.png").write_text("damaged")
    (tmp_path / "f.txt").write_text("text")
    assert folder_pixels(tmp_path, SPEC).shape == (2, 24, 32, 3)
    assert folder_pixels(tmp_path / "none", SPEC) is None


def test_the_photographs_of_scikit_image_come_whole_and_in_quarters_without_its_cat():
    pytest.importorskip("skimage")
    pixels = package_pixels(SPEC)
    assert len(pixels) % 5 == 0
    assert len(pixels) >= 50
