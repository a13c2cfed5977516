"""The embedded set."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from trainer.data.shapes import OUTLINES, draw, write_shapes
from trainer.errors import DataError


def digests(folder):
    return {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.*")}


def test_a_folder_per_shape_with_png_and_jpeg(tmp_path):
    write_shapes(tmp_path / "set", count=8, size=32, seed=0)
    assert {path.name for path in (tmp_path / "set").iterdir()} == set(OUTLINES)
    assert len(OUTLINES) >= 5
    assert len(digests(tmp_path / "set")) == 8 * len(OUTLINES)
    formats = {Image.open(path).format for path in (tmp_path / "set").rglob("*.*")}
    assert formats == {"PNG", "JPEG"}


def test_equal_seeds_give_equal_files_and_others_do_not(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_shapes(tmp_path / name, count=2, size=32, seed=seed)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert not set(digests(tmp_path / "a").values()) & set(digests(tmp_path / "c").values())


def test_a_larger_set_begins_with_the_smaller(tmp_path):
    write_shapes(tmp_path / "few", count=2, size=32, seed=1)
    write_shapes(tmp_path / "many", count=4, size=32, seed=1)
    assert digests(tmp_path / "few").items() <= digests(tmp_path / "many").items()


@pytest.mark.parametrize("shape", OUTLINES)
def test_a_shape_stands_out_and_varies(shape):
    images = [np.asarray(draw(shape, 48, np.random.default_rng(seed)), float) for seed in range(5)]
    assert all(image.shape == (48, 48, 3) for image in images)
    assert all(image.std() > 10 for image in images)
    assert np.std([image.mean(axis=(0, 1)) for image in images], axis=0).min() > 5


def test_an_existing_set_is_replaced_only_on_request_and_another_folder_never(tmp_path):
    write_shapes(tmp_path / "set", count=1, size=32, seed=0)
    with pytest.raises(DataError, match="--overwrite"):
        write_shapes(tmp_path / "set", count=2, size=32, seed=0)
    write_shapes(tmp_path / "set", count=2, size=32, seed=0, overwrite=True)
    assert len(digests(tmp_path / "set")) == 2 * len(OUTLINES)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match="is not a set of shapes"):
        write_shapes(tmp_path / "mine", count=1, size=32, seed=0, overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").exists()
