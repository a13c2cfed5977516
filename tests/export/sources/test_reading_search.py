"""The reading of an input is found with images, and a wrong one that is stated is named."""

import numpy as np
import pytest

from export.errors import ExportError
from export.sources.reading import PRESETS, RANGES, Reading, StatedInput, known_readings, matches_limits
from export.sources.reading_search import search_labelled, search_unlabelled

TRUTH = np.arange(40) % 4
READINGS = known_readings()


def pictures(fit="stretch"):
    """Return pictures of four classes: bright red, bright blue, dim red, dim blue; those of another fit are darker."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(30, 60, (40, 4, 4, 3))
    for image, label in zip(pixels, TRUTH, strict=True):
        image[..., 0 if label in {0, 2} else 2] += 150 if label < 2 else 60
    return (pixels * (1 if fit == "stretch" else 0.55)).astype(np.uint8)


def network(right):
    """Return a classifier whose decisions depend on levels, so that only one reading is right."""
    centres = right.apply(
        np.stack([pictures()[label == TRUTH].mean(axis=(0, 1, 2)) for label in range(4)])[:, None, None]
    )

    def run(pixels, readings):
        outputs = []
        for reading in readings:
            means = reading.apply(pixels).mean(axis=(1, 2))
            scores = (
                -4 * np.square((means[:, None] - centres.reshape(1, 4, 3)) * 2 / np.ptp(right.limits)).sum(axis=2) * 40
            )
            values = np.exp(scores - scores.max(axis=1, keepdims=True))
            outputs.append((values / values.sum(axis=1, keepdims=True)).astype(np.float32))
        return outputs

    return run


@pytest.mark.parametrize("right", READINGS, ids=[reading.name for reading in READINGS])
def test_each_common_reading_is_found(right):
    found = search_labelled(network(right), pictures, TRUTH, READINGS, stated=None, resize=None)
    assert found.reading.name == right.name
    assert (found.accuracy, found.resize, found.better) == (1.0, "stretch", ())


def test_a_wrong_reading_and_a_wrong_fit_that_are_stated_are_kept_and_named_with_both_accuracies():
    run = network(PRESETS["caffe"])
    found = search_labelled(run, pictures, TRUTH, READINGS, stated=PRESETS["caffe"].reversed(), resize="stretch")
    assert found.reading.name == "caffe RGB"
    assert (
        "the input is stated as caffe RGB, which is right for 0.0% of 40 images; caffe is right for 100.0%"
        in found.better[0].text
    )
    found = search_labelled(run, pictures, TRUTH, READINGS, stated=PRESETS["caffe"], resize="crop")
    assert found.resize == "crop"
    assert found.better[0].text.startswith("--resize is stated as crop")


def test_a_wrong_order_of_channels_is_named():
    run = network(RANGES["0..1"])
    found = search_labelled(run, pictures, TRUTH, READINGS, stated=None, resize=None, bgr=True)
    assert found.reading.bgr
    assert "0..1 is right for 100.0%" in found.better[0].text


def test_readings_that_the_images_do_not_distinguish_are_named():
    """A network that compares the channels decides equally for every scale."""

    def run(pixels, readings):
        return [np.eye(4, dtype=np.float32)[TRUTH] for _ in readings]

    found = search_labelled(run, pictures, TRUTH, READINGS, stated=None, resize=None)
    assert "do not show whether the input is" in found.notes[0]


def test_images_without_labels_show_the_reading_by_the_entropy_of_the_outputs():
    right = RANGES["-1..1"]
    found = search_unlabelled(network(right), pictures(), [right, RANGES["0..255"]], resize="pad", where="m")
    assert (found.reading, found.resize) == (right, "pad")
    assert "100% of resamples" in found.notes[0]
    with pytest.raises(ExportError, match="do not show the range of its input"):
        search_unlabelled(
            lambda p, r: [np.full((len(p), 4), 0.25)] * len(r), pictures(), READINGS, resize="pad", where="m"
        )


@pytest.mark.parametrize(
    ("represented", "names"),
    [
        ((0, 255), ["0..255"]),
        ((0, 180), ["0..255"]),
        ((-1, 0.992), ["-1..1"]),
        ((-0.81, 0.46), ["-1..1"]),
        ((0, 0.996), ["0..1"]),
        ((-2.118, 2.64), ["imagenet"]),
        ((-123.9, 150.8), ["caffe"]),
        ((-5, 9), []),
    ],
)
def test_a_quantized_range_shows_the_reading_also_after_dim_images(represented, names):
    assert [item.name for item in READINGS[:5] if matches_limits(item, represented)] == names


def test_mean_and_std_apply_to_the_stated_range():
    torch = StatedInput("0..1", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)).reading()
    assert torch is not None
    assert torch.same_values(PRESETS["imagenet"])
    pixels = np.array([[[[255, 0, 128]]]], np.uint8)
    assert torch.apply(pixels) == pytest.approx(
        ((pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]), abs=1e-5
    )
    caffe = StatedInput("0..255", (103.939, 116.779, 123.68), bgr=True).reading()
    assert caffe is not None
    assert caffe.apply(pixels).ravel() == pytest.approx([128 - 103.939, -116.779, 255 - 123.68], abs=1e-4)
    assert Reading("x").is_pixels


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"mean": (0.5,)}, "need --input-range: 0..1 if"),
        ({"std": (0.5,), "input_range": "-1..1"}, "need --input-range"),
        ({"mean": (1.0, 2.0), "input_range": "0..1"}, "--mean: must be one number or three"),
        ({"std": (0.0,), "input_range": "0..1"}, "--std: must be above 0"),
        ({"normalization": "imagenet", "input_range": "0..1"}, "leave out --input-range"),
    ],
)
def test_statements_that_contradict_each_other_are_refused(stated, message):
    with pytest.raises(ExportError, match=message):
        StatedInput(**stated).reading()
