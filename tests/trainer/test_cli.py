"""`edge-train`: exit codes, one clear line for each bad input, defaults."""

import json
import subprocess
import sys
from dataclasses import asdict
from importlib import util

import pytest

from edge_runtime.command_line.runner import options_from
from trainer import tensorflow_setup
from trainer.cli import build_parser, main
from trainer.commands.train import complete
from trainer.errors import TrainingError
from trainer.options import Options


def one_line(capsys):
    out, err = capsys.readouterr()
    assert out == ""
    return err.strip().splitlines()[-1]


def options_of(args):
    complete(args)
    return options_from(Options, args)


def fails(capsys, *arguments):
    assert main([str(argument) for argument in arguments]) == 1
    line = one_line(capsys)
    assert line.startswith("edge-train: ")
    return line


def test_help_and_bad_folders_come_without_tensorflow(tmp_path):
    script = (
        "import sys\n"
        "from trainer.cli import main\n"
        "assert main(['train', '--help']) == 0\n"
        f"assert main(['train', {str(tmp_path / 'none')!r}, '--out', {str(tmp_path / 'run')!r}]) == 1\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'sklearn'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no such folder" in done.stderr


def test_no_such_folder(capsys, tmp_path):
    assert "no such folder" in fails(capsys, "train", tmp_path / "none", "--out", tmp_path / "run")


def test_one_class(capsys, tmp_path, draw_set):
    draw_set(tmp_path / "data", labels=("cat",))
    assert "at least two classes" in fails(capsys, "train", tmp_path / "data", "--out", tmp_path / "run")


def test_an_empty_class(capsys, tmp_path, data):
    (data / "owl").mkdir()
    assert "owl: an empty class folder" in fails(capsys, "train", data, "--out", tmp_path / "run")


def test_a_class_of_two_images(capsys, tmp_path, draw_set):
    draw_set(tmp_path / "data", count=2)
    assert "has 2 usable photographs" in fails(capsys, "train", tmp_path / "data", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_missing_weights_are_reported_before_a_photograph_is_read(capsys, tmp_path, data):
    chosen = ("--model", "mobilenet_v2", "--weights", tmp_path / "none.h5")
    assert main(["train", str(data), "--out", str(tmp_path / "run"), *map(str, chosen)]) == 1
    assert capsys.readouterr().err.strip() == (
        f"edge-train: {tmp_path / 'none.h5'}: no such file; pass --weights FILE, imagenet or none"
    )


def test_up_to_ten_of_the_files_left_out_are_named(capsys, tmp_path, data):
    for number in range(13):
        (data / "cat" / f"bad{number:02}.jpg").write_text("text")
    fails(capsys, "train", data, "--out", tmp_path / "run", "--model", "cnn", "--image-size", 20)
    (data / "cat" / "bad00.jpg").unlink()
    main(["train", str(data), "--out", str(tmp_path / "run"), "--model", "cnn", "--image-size", "20"])
    err = capsys.readouterr().err
    assert "12 files left out:" in err
    assert err.count("not a JPEG") == 10
    assert "and 2 more; the RUN's split.csv lists all" in err


@pytest.mark.parametrize(
    "bad",
    [
        ("--epochs", "0"),
        ("--epochs", "many"),
        ("--batch-size", "-1"),
        ("--image-size", "0"),
        ("--learning-rate", "nan"),
        ("--learning-rate", "-0.1"),
        ("--test-fraction", "1"),
        ("--validation-fraction", "0"),
        ("--dropout", "1"),
        ("--seed", "-1"),
        ("--seed", "9999999999"),
        ("--model", "vgg"),
    ],
)
def test_bad_numbers_are_usage_errors(capsys, tmp_path, bad):
    assert main(["train", str(tmp_path), "--out", str(tmp_path / "run"), *bad]) == 2
    assert bad[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        ("--model", "cnn", "--weights", "imagenet"),
        ("--model", "cnn_bn", "--weights", "file.h5"),
        ("--model", "cnn_bn", "--alpha", "0.5"),
        ("--model", "cnn_bn", "--cut", "block_6_expand_relu"),
        ("--model", "cnn", "--fine-tune-epochs", "3"),
        ("--model", "efficientnet_lite0", "--alpha", "0.5"),
        ("--pooling", "none"),
        ("--model", "cnn_bn", "--pooling", "max"),
    ],
    ids=" ".join,
)
def test_an_option_that_the_model_does_not_have_is_a_usage_error(capsys, tmp_path, data, wrong):
    assert main(["train", str(data), "--out", str(tmp_path / "run"), *wrong]) == 2
    assert f"{wrong[-2]} has no effect on --model" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_image_size_that_the_spec_refuses(capsys, tmp_path, data):
    assert "'height' must be" in fails(capsys, "train", data, "--out", tmp_path / "run", "--image-size", 5000)


def test_defaults_are_the_models_own():
    parse = build_parser().parse_args
    cnn = options_of(parse(["train", "d", "--out", "r", "--model", "cnn"]))
    transfer = options_of(parse(["train", "d", "--out", "r"]))
    chosen = options_of(parse(["train", "d", "--out", "r", "--epochs", "3", "--image-size", "100", "--no-augment"]))
    assert (cnn.model, cnn.image_size, cnn.augment) == ("cnn", 96, "standard")
    assert (transfer.model, transfer.image_size, transfer.weights) == ("mobilenet_v2", 160, "imagenet")
    assert (chosen.epochs, chosen.image_size, chosen.augment) == (3, 100, "none")
    lite = options_of(parse(["train", "d", "--out", "r", "--model", "efficientnet_lite0"]))
    assert (lite.image_size, lite.epochs, lite.weights) == (224, transfer.epochs, "imagenet")
    small = options_of(parse(["train", "d", "--out", "r", "--model", "cnn_bn"]))
    blank = options_of(parse(["train", "d", "--out", "r", "--weights", "none"]))
    assert (blank.image_size, blank.epochs, blank.learning_rate) == (160, small.epochs, small.learning_rate)


def test_a_missing_tensorflow_names_the_extra(monkeypatch):
    monkeypatch.setattr(
        tensorflow_setup, "find_spec", lambda name: None if name == "tensorflow" else util.find_spec(name)
    )
    with pytest.raises(
        TrainingError, match=r"tensorflow is not installed; install it with: pip install 'edgewise\[train\]'"
    ):
        tensorflow_setup.require_tensorflow()


def test_shapes_then_train_then_evaluate(capsys, tmp_path):
    assert main(["shapes", str(tmp_path / "shapes"), "--count", "6", "--size", "48"]) == 0
    out, err = capsys.readouterr()
    assert "6 images each of circle, cross" in out
    assert err == f"next: edge-train train {tmp_path / 'shapes'} --model cnn --out run\n"
    small = ["--model", "cnn", "--image-size", "43", "--epochs", "1"]
    assert main(["train", str(tmp_path / "shapes"), "--out", str(tmp_path / "run"), *small, "--json"]) == 0
    out, err = capsys.readouterr()
    trained = json.loads(out)
    assert f"edge-export export {tmp_path / 'run'} --out bundle" in err.splitlines()[-1]
    assert "computing features of the test photographs" in err
    assert main(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["confusion"] == trained["confusion"]
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    out, err = capsys.readouterr()
    assert "accuracy " in out
    assert "classifying 7 photographs" in err  # the progress of a phase that is silent otherwise
    assert err.splitlines()[-1].startswith("next: edge-export export ")
    assert "tensorflow" not in err.lower()


def test_evaluating_no_run(capsys, tmp_path):
    assert "no such RUN folder" in fails(capsys, "evaluate", tmp_path / "none")


def test_shapes_are_overwritten_only_on_request(capsys, tmp_path):
    (tmp_path / "circle").mkdir()
    assert "--overwrite" in fails(capsys, "shapes", tmp_path, "--count", 1)


def write_arguments(run, **changed):
    run.mkdir()
    arguments = {**asdict(Options(model="cnn", image_size=64, epochs=7, patience=3, learning_rate=0.01)), **changed}
    (run / "metrics.json").write_text(json.dumps({"arguments": arguments}))
    return run


def test_from_takes_the_options_of_a_run_and_the_command_line_overrides_them(tmp_path):
    run = write_arguments(tmp_path / "run", seed=5, augment="article", tensorboard="/logs", corrections="/c.csv")
    parse = build_parser().parse_args
    found = options_of(parse(["train", "data", "--out", "x", "--from", str(run)]))
    assert (found.model, found.image_size, found.epochs, found.seed, found.augment) == ("cnn", 64, 7, 5, "standard")
    assert (found.tensorboard, found.corrections) == ("", "/c.csv")
    given = ["--seed", "0", "--augment", "none", "--epochs", "9", "--corrections", ""]
    found = options_of(parse(["train", "data", "--out", "x", "--from", str(run), *given]))
    assert (found.seed, found.augment, found.epochs, found.corrections, found.image_size) == (0, "none", 9, "", 64)


def test_from_with_another_model_takes_only_how_the_data_is_read(tmp_path):
    run = write_arguments(tmp_path / "run", seed=5, test_fraction=0.3, dropout=0.7)
    arguments = ["train", "data", "--out", "x", "--from", str(run), "--model", "cnn_bn"]
    found = options_of(build_parser().parse_args(arguments))
    assert (found.model, found.seed, found.test_fraction) == ("cnn_bn", 5, 0.3)
    assert (found.image_size, found.dropout, found.learning_rate) == (128, 0.2, 3e-3)


@pytest.mark.parametrize(("name", "value"), [("seed", "x"), ("epochs", 2.5), ("model", "vgg"), ("mixed_precision", 1)])
def test_from_a_damaged_run_is_one_line(tmp_path, capsys, name, value):
    run = write_arguments(tmp_path / "run", **{name: value})
    assert f"'{name}' cannot be" in fails(capsys, "train", tmp_path, "--out", tmp_path / "x", "--from", run)


def test_from_a_folder_that_is_no_run_is_one_line(tmp_path, capsys):
    assert "not a finished RUN" in fails(capsys, "train", tmp_path, "--out", tmp_path / "x", "--from", tmp_path)
