"""Data folders and RUNs in a bad state: one clear line each, or an odd name that must simply work."""

import errno
import os
import stat
import tempfile
from pathlib import Path

import pytest

from edge_runtime.model.spec import ModelSpec
from trainer.cli import main
from trainer.data.layout import scan, with_background
from trainer.errors import DataError, TrainingError
from trainer.images.explore import explore
from trainer.images.read_data import read_data
from trainer.networks.backbone import load_backbone
from trainer.networks.models import build_cnn_bn
from trainer.options import Options
from trainer.pipeline import resume, train
from trainer.runs import run_folder as run_dir

OPTIONS = Options(model="cnn", image_size=43, epochs=1, patience=9, learning_rate=1e-3, batch_size=8)
NOBODY = 65534


def reasons(dataset):
    return {problem.path: problem.reason for problem in dataset.problems}


def test_a_class_folder_that_is_a_file_is_named(data):
    (data / "owl").write_text("x")
    assert reasons(scan(data)) == {"owl": "is next to the class folders, not in one of them"}
    for path in (data / "dog").iterdir():
        path.unlink()
    (data / "dog").rmdir()
    (data / "dog").write_text("x")
    with pytest.raises(DataError, match="contains cat; a classifier needs at least two classes, one folder each"):
        scan(data)


@pytest.fixture
def unprivileged(draw_set):
    """Give a data folder, and a user who may be kept out of it: root, whom no mode keeps out, becomes nobody."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        Path(folder).chmod(0o755)
        data = draw_set(Path(folder) / "data", count=4)
        if root:
            try:
                os.seteuid(NOBODY)
            except OSError as problem:
                pytest.skip(f"root may not become another user here: {problem}")
        try:
            yield data, lambda path, mode: as_owner(root, path, mode)
        finally:
            if root:
                os.seteuid(0)
            for path in (data, *data.iterdir()):
                path.chmod(0o755)


def as_owner(root, path, mode):
    if root:
        os.seteuid(0)
    path.chmod(mode)
    if root:
        os.seteuid(NOBODY)


@pytest.mark.parametrize("place", ["cat", "."])
@pytest.mark.parametrize("mode", [0, stat.S_IROTH | stat.S_IRUSR])
def test_a_folder_that_may_not_be_read_is_named(unprivileged, place, mode):
    data, allow = unprivileged
    allow(data / place, mode)
    with pytest.raises(DataError, match=r"cannot be read: Permission denied"):
        read_data(data, OPTIONS)


def test_a_file_that_may_not_be_read_is_left_out(unprivileged):
    data, allow = unprivileged
    allow(data / "cat" / "cat000.png", 0)
    assert reasons(read_data(data, OPTIONS)) == {"cat/cat000.png": "cannot be read: Permission denied"}


@pytest.mark.parametrize(("one", "other"), [("Cat", "cat"), ("\u00c9t\u00e9", "e\u0301te\u0301")])
def test_classes_that_differ_by_case_alone_are_named(tmp_path, draw_photo, one, other):
    for number, label in enumerate((one, other, "dog")):
        draw_photo(tmp_path / label / "x.png", number)
    with pytest.raises(DataError, match="differ only by case; merge them or rename one"):
        scan(tmp_path)


def test_a_class_of_folders_alone_is_no_class_that_vanishes(data, draw_photo):
    draw_photo(data / "owl" / "barn" / "x.png", 1)
    with pytest.raises(DataError, match=r"owl: contains only folders; move their photographs up"):
        scan(data)


def test_loops_of_symbolic_links_end(data):
    (data / "owl").symlink_to("owl")
    (data / "cat" / "up").symlink_to("..")
    (data / "cat" / "self.png").symlink_to("self.png")
    told = reasons(read_data(data, OPTIONS))
    assert told["owl"] == "is next to the class folders, not in one of them"
    assert told["cat/up"].startswith("a folder inside a class folder")
    assert told["cat/self.png"] == "cannot be read: Too many levels of symbolic links"
    (data / "owl").unlink()
    (data / "owl").symlink_to(data)
    with pytest.raises(DataError, match="owl: contains only folders"):
        scan(data)


def test_long_and_foreign_names_work_to_the_end(tmp_path, draw_set):
    data = draw_set(tmp_path / "data", count=8)
    (data / "cat").rename(data / ("\u00e4" * 127))  # 254 of the 255 bytes that a name may have
    (data / "dog" / "dog000.png").rename(data / "dog" / ("\u72ac" * 83 + ".png"))
    evaluation = train(data, tmp_path / "\u72d7 run", OPTIONS)
    assert evaluation.per_class[1].label == "\u00e4" * 127
    assert "\u72ac" * 83 in (tmp_path / "\u72d7 run" / "split.csv").read_text(encoding="utf-8")


def test_a_name_that_is_no_text_is_left_out(data, tmp_path, draw_photo):
    (data / "cat" / "cat000.png").rename(data / "cat" / os.fsdecode(b"\xff.png"))
    assert reasons(scan(data)) == {"cat/\\udcff.png": "its name is not valid UTF-8; rename it"}
    draw_photo(tmp_path / "other" / "x.png", 1)
    (tmp_path / "other" / "x.png").rename(tmp_path / "other" / os.fsdecode(b"\xfe.png"))
    assert "background/\\udcfe.png" in reasons(with_background(scan(data), tmp_path / "other"))


def test_a_place_with_too_long_a_name_is_one_line(data, tmp_path, capsys):
    for words in ([str(tmp_path / ("x" * 300)), "--out", "run"], [str(data), "--out", str(tmp_path / ("x" * 300))]):
        assert main(["train", *words]) == 1
        assert "File name too long" in capsys.readouterr().err.splitlines()[-1]


def test_files_that_vanish_while_the_folder_is_read(data, tmp_path, monkeypatch):
    seen = scan(data)
    (data / "cat" / "cat000.png").unlink()
    monkeypatch.setattr("trainer.images.read_data.scan_all", lambda folders: seen)
    dataset = read_data(data, OPTIONS)
    assert reasons(dataset) == {"cat/cat000.png": "cannot be read: No such file or directory"}
    for photo in dataset.of("test")[:1]:
        photo.file.path.unlink()
    with pytest.raises(DataError, match="changed while the folder was read; explore again"):
        explore(dataset)
    (tmp_path / "samples").mkdir()
    run_dir.write_samples(tmp_path / "samples", dataset.of("test"), dataset.spec)
    assert len(list((tmp_path / "samples").iterdir())) == len(dataset.of("test")) - 1


def test_a_disk_that_fills_up_at_the_end_loses_no_epoch(data, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(run_dir, "write_arrays", full)
        with pytest.raises(
            TrainingError, match=r"cannot be written: No space left on device; make room, then .*--resume"
        ):
            train(data, tmp_path / "run", OPTIONS)
    assert {path.name for path in tmp_path.iterdir()} == {"data", "run"}
    assert resume(tmp_path / "run").images


def test_weights_of_another_architecture_are_named(tmp_path):
    spec = ModelSpec(height=32, width=32, labels=("a", "b"), output="sigmoid")
    build_cnn_bn(spec).save_weights(tmp_path / "cnn_bn.weights.h5")
    with pytest.raises(
        TrainingError, match=r"cnn_bn\.weights\.h5: does not contain weights of mobilenet_v2 with --alpha 0\.35"
    ):
        load_backbone("mobilenet_v2", spec, tmp_path / "cnn_bn.weights.h5", 0.35)


def test_a_run_of_another_version_is_named(tmp_path, capsys):
    for name in ("model.keras", "holdout.npz"):
        (tmp_path / name).touch()
    (tmp_path / "spec.json").write_text(
        '{"version": 7, "height": 8, "width": 8, "labels": ["a", "b"], "output": "sigmoid", "resize": "stretch", '
        '"crop_fraction": 1.0, "thresholds": [0, 0], "color": "RGB"}'
    )
    for command in ("evaluate", "describe"):
        assert main([command, str(tmp_path)]) == 1
        assert "spec.json: version 7 is not 1 or 2, which this version of edgewise reads" in capsys.readouterr().err
