from __future__ import annotations

import contextlib
import hashlib
import io

import numpy as np
import pytest
from PIL import Image
from png import plain_png

from edge_runtime.errors import SourceError
from edge_runtime.image.preprocess import PAD_VALUE, load_image, preprocess

ORIENTATION = 0x0112
# How an upright picture is stored under each EXIF orientation: the inverse of what a viewer does.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def picture(height, width):
    """Draw smooth colour ramps, other in every direction, so that a flip, a turn or a channel swap shows."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 255 // width, y * 255 // height, (x + y) * 255 // (height + width)]
    return np.stack(channels, axis=2).astype(np.uint8)


def encoded(image, file_format, **options):
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def colour_of(content, spec):
    """Give the one colour of a plain image after preprocessing."""
    pixels = preprocess(content, spec)
    assert (pixels == pixels[0, 0]).all()
    return pixels[0, 0].tolist()


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (31, 23), (32, 24), (640, 480)])
def test_any_size_becomes_the_models_input(make_spec, resize, size):
    pixels = preprocess(Image.new("RGB", size, (10, 20, 30)), make_spec(resize=resize))
    assert (pixels.shape, pixels.dtype) == ((24, 32, 3), np.uint8)


def test_path_bytes_pil_and_array_give_the_same_pixels(make_spec, tmp_path):
    array = picture(100, 80)
    path = tmp_path / "lossless.png"
    Image.fromarray(array).save(path)
    spec = make_spec(resize="crop")
    expected = preprocess(array, spec)
    for source in (path, str(path), path.read_bytes(), Image.fromarray(array)):
        assert (preprocess(source, spec) == expected).all()


def test_the_pixels_of_a_known_picture_never_change(make_spec):
    """A digest that changes means that models trained before see other pixels: a breaking change."""
    content = encoded(Image.fromarray(picture(100, 80)), "PNG")
    digests = {
        resize: hashlib.sha256(preprocess(content, make_spec(resize=resize)).tobytes()).hexdigest()[:16]
        for resize in ("stretch", "crop", "pad")
    }
    assert digests == {"stretch": "55c8bfda52715f1e", "crop": "550a215d9daa0df8", "pad": "a099ec6ade2b517f"}


def test_an_image_of_the_input_size_passes_untouched(make_spec):
    array = picture(24, 32)
    assert (preprocess(array, make_spec()) == array).all()


def test_crop_takes_the_centre_of_the_inputs_aspect_ratio(make_spec):
    array = picture(4, 8)
    spec = make_spec(height=4, width=4, resize="crop", crop_fraction=1.0)
    assert (preprocess(array, spec) == array[:, 2:6]).all()
    tall = picture(8, 4)
    assert (preprocess(tall, spec) == tall[2:6]).all()


def test_crop_fraction_is_a_part_of_the_largest_region_that_fits(make_spec):
    array = picture(16, 8)  # the largest square has side 8, half of it is 4: rows 6..9, columns 2..5
    spec = make_spec(height=4, width=4, resize="crop", crop_fraction=0.5)
    assert (preprocess(array, spec) == array[6:10, 2:6]).all()


def test_pad_centres_the_whole_image_on_grey(make_spec):
    array = picture(4, 8)
    pixels = preprocess(array, make_spec(height=8, width=8, resize="pad"))
    assert (pixels[2:6] == array).all()
    assert (pixels[:2] == PAD_VALUE).all()
    assert (pixels[6:] == PAD_VALUE).all()


def test_stretch_averages_the_pixels_that_fall_together(make_spec):
    array = np.zeros((4, 8, 3), np.uint8)
    array[::2] = 100  # every 2x2 block holds two of 100 and two of 0
    pixels = preprocess(array, make_spec(height=2, width=4))
    assert (pixels == 50).all()


@pytest.mark.parametrize("orientation", STORED_AS)
def test_every_exif_orientation_comes_upright(make_spec, orientation):
    upright = Image.fromarray(picture(48, 64))
    stored = upright if STORED_AS[orientation] is None else upright.transpose(STORED_AS[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    spec = make_spec()
    expected = preprocess(upright, spec)
    assert (preprocess(encoded(stored, "PNG", exif=exif), spec) == expected).all()
    # an image that the caller has opened comes upright too
    assert (preprocess(Image.open(io.BytesIO(encoded(stored, "PNG", exif=exif))), spec) == expected).all()


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_every_exif_orientation_comes_upright_through_the_scaled_jpeg_decoder(make_spec, orientation, resize):
    upright = Image.fromarray(picture(480, 640))
    stored = upright if STORED_AS[orientation] is None else upright.transpose(STORED_AS[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    content = encoded(stored, "JPEG", quality=98, subsampling=0, exif=exif)
    spec = make_spec(resize=resize)
    difference = preprocess(content, spec).astype(int) - preprocess(upright, spec)
    assert np.abs(difference).max() <= 4


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1600, 1200), (1200, 1600), (3000, 200), (200, 3000)])
def test_a_large_jpeg_is_decoded_small_but_never_smaller_than_needed(make_spec, resize, size):
    spec = make_spec(resize=resize, crop_fraction=0.5)
    decoded = load_image(encoded(Image.new("RGB", size), "JPEG"), spec)
    scale = decoded.width / size[0]
    assert scale < 1
    fitted = min(spec.width / size[0], spec.height / size[1])
    needed = {
        "stretch": max(spec.width / size[0], spec.height / size[1]),
        "crop": max(spec.width / size[0], spec.height / size[1]) / spec.crop_fraction,
        "pad": fitted,
    }[resize]
    assert scale >= min(needed, 1) * 0.999


def test_decoding_small_changes_a_photograph_little(make_spec):
    rng = np.random.default_rng(7)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    content = encoded(coarse.resize((1600, 1200), Image.Resampling.BICUBIC), "JPEG", quality=92)
    with Image.open(io.BytesIO(content)) as full:
        full.load()
        expected = preprocess(np.asarray(full), make_spec())
    difference = np.abs(preprocess(content, make_spec()).astype(int) - expected)
    assert difference.mean() < 2.5
    assert difference.max() < 16


def test_grey_is_the_same_in_every_channel(spec):
    assert colour_of(encoded(Image.new("L", (40, 30), 77), "PNG"), spec) == [77, 77, 77]
    assert colour_of(encoded(Image.new("1", (40, 30), 1), "PNG"), spec) == [255, 255, 255]


def test_sixteen_bit_grey_is_scaled_and_not_clipped(spec):
    image = Image.fromarray(np.full((30, 40), 100 * 257, np.uint16))
    assert image.mode == "I;16"
    assert colour_of(encoded(image, "PNG"), spec) == [100, 100, 100]


def test_a_palette_gives_its_colours(spec):
    image = Image.new("P", (40, 30), 1)
    image.putpalette([0, 0, 0, 12, 34, 56])
    for file_format in ("PNG", "BMP"):
        assert colour_of(encoded(image, file_format), spec) == [12, 34, 56]


def test_a_transparent_palette_entry_is_white(spec):
    image = Image.new("P", (40, 30), 1)
    image.putpalette([0, 0, 0, 12, 34, 56])
    assert colour_of(encoded(image, "PNG", transparency=1), spec) == [255, 255, 255]


def test_transparency_is_laid_on_white(spec):
    assert colour_of(encoded(Image.new("LA", (40, 30), (100, 0)), "PNG"), spec) == [255, 255, 255]
    assert colour_of(encoded(Image.new("LA", (40, 30), (100, 255)), "PNG"), spec) == [100, 100, 100]
    assert colour_of(encoded(Image.new("RGBA", (40, 30), (1, 2, 3, 0)), "PNG"), spec) == [255, 255, 255]
    assert colour_of(encoded(Image.new("RGBA", (40, 30), (1, 2, 3, 255)), "WEBP", lossless=True), spec) == [1, 2, 3]
    half = colour_of(encoded(Image.new("RGBA", (40, 30), (0, 0, 0, 128)), "PNG"), spec)
    assert half == [127, 127, 127]


def test_a_cmyk_jpeg_has_its_own_colours(spec):
    content = encoded(Image.new("RGB", (400, 300), (200, 30, 40)).convert("CMYK"), "JPEG", quality=95)
    assert Image.open(io.BytesIO(content)).mode == "CMYK"
    assert np.allclose(preprocess(content, spec), (200, 30, 40), atol=6)


def test_a_grey_jpeg_is_read(spec):
    assert np.allclose(preprocess(encoded(Image.new("L", (400, 300), 90), "JPEG"), spec), 90, atol=2)


@pytest.mark.parametrize(("file_format", "options"), [("BMP", {}), ("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_formats_give_the_pixels_stored(make_spec, file_format, options):
    array = picture(24, 32)
    assert (preprocess(encoded(Image.fromarray(array), file_format, **options), make_spec()) == array).all()


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(spec, file_format):
    frames = [Image.new("RGB", (40, 30), color) for color in ((255, 0, 0), (0, 0, 255))]
    options = {"lossless": True} if file_format == "WEBP" else {}
    content = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], duration=50, **options)
    assert Image.open(io.BytesIO(content)).n_frames == 2
    assert colour_of(content, spec) == [255, 0, 0]


def test_a_cameras_multi_picture_jpeg_gives_its_first(spec):
    frames = [Image.new("RGB", (400, 300), color) for color in ((200, 10, 10), (10, 10, 200))]
    content = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert Image.open(io.BytesIO(content)).format == "MPO"
    assert np.allclose(preprocess(content, spec), (200, 10, 10), atol=4)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("truncated", "damaged or incomplete image"),
        ("text", "not a JPEG, PNG, BMP, GIF or WebP image"),
        ("empty", "an empty file"),
        ("huge", "too many pixels to decode"),
    ],
)
def test_an_unusable_file_is_refused_by_name(spec, bad_images, kind, reason):
    with pytest.raises(SourceError, match=f"{bad_images[kind].name}: {reason}"):
        preprocess(bad_images[kind], spec)
    with pytest.raises(SourceError, match=f"image bytes: {reason}"):
        preprocess(bad_images[kind].read_bytes(), spec)


def test_an_image_over_the_limit_is_refused_before_it_is_decoded(spec):
    content = plain_png(10_000, 8_000)
    with pytest.raises(SourceError, match="10000x8000 pixels, over the limit of 64 million"):
        preprocess(content, spec)


def test_other_formats_are_refused(spec):
    with pytest.raises(SourceError, match="not a JPEG"):
        preprocess(encoded(Image.new("RGB", (4, 4)), "TIFF"), spec)


def test_a_missing_file_and_a_folder_are_refused(spec, tmp_path):
    with pytest.raises(SourceError, match=r"none\.jpg: no such file"):
        preprocess(tmp_path / "none.jpg", spec)
    with pytest.raises(SourceError, match=tmp_path.name):
        preprocess(tmp_path, spec)


@pytest.mark.parametrize("cut", range(2, 52, 3))
def test_a_png_cut_anywhere_in_its_pixels_is_refused(spec, cut):
    content = encoded(Image.fromarray(picture(24, 32)), "PNG")
    with pytest.raises(SourceError):
        preprocess(content[: len(content) * cut // 60], spec)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_random_damage_gives_pixels_or_a_source_error(spec, file_format, seed):
    rng = np.random.default_rng(seed)
    content = bytearray(encoded(Image.fromarray(picture(24, 32)), file_format))
    for position in rng.integers(0, len(content), 8):
        content[position] = rng.integers(0, 256)
    with contextlib.suppress(SourceError):  # anything else fails the test
        assert preprocess(bytes(content), spec).shape == (24, 32, 3)


@pytest.mark.parametrize("array", [np.zeros((4, 4, 3)), np.zeros((4, 4, 3), np.int8)])
def test_pixels_of_another_type_are_a_programmers_mistake(spec, array):
    with pytest.raises(TypeError, match="pixels must be uint8"):
        preprocess(array, spec)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (1, 4, 4, 3), (0, 4, 3)])
def test_pixels_of_another_shape_are_a_programmers_mistake(spec, shape):
    with pytest.raises(ValueError, match="must have shape"):
        preprocess(np.zeros(shape, np.uint8), spec)


def test_the_callers_array_and_image_are_left_as_they_were(make_spec):
    array = picture(50, 40)
    image = Image.fromarray(array)
    preprocess(array, make_spec(resize="pad"))
    preprocess(image, make_spec(resize="pad"))
    assert (array == picture(50, 40)).all()
    assert image.size == (40, 50)
