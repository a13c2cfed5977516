"""Image files, folders and glob patterns as sources."""

from __future__ import annotations

import os

import pytest

from edge_runtime.errors import SourceError
from edge_runtime.image.files import image_files


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A tree of files, whose root is the working directory."""
    for name in (
        "b.jpg",
        "a.PNG",
        "notes.txt",
        ".hidden.jpg",
        "deep/er/c.webp",
        "deep/d.jpeg",
        ".git/e.jpg",
        "empty/x",
    ):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    monkeypatch.chdir(tmp_path / "tree")
    return tmp_path / "tree"


def test_a_file_that_is_named_is_used_even_if_it_is_not_an_image(tree):
    assert list(image_files("notes.txt")) == ["notes.txt"]
    assert list(image_files(".hidden.jpg")) == [".hidden.jpg"]
    assert list(image_files("missing.jpg")) == ["missing.jpg"]


def test_the_images_of_a_folder_are_sorted_without_hidden_files(tree):
    assert list(image_files(".")) == ["./a.PNG", "./b.jpg", "./deep/d.jpeg", "./deep/er/c.webp"]


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_a_large_folder_is_read_in_parts_without_gaps_or_repetitions(tmp_path, monkeypatch, most):
    monkeypatch.setattr("edge_runtime.image.files.MOST_NAMES", most)
    names = ["a.jpg", "b.jpg", "c.txt", "d.jpg", "e/f.jpg", "e/g.jpg", "h/i.jpg", "j.jpg"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "e")
    found = [path.removeprefix(f"{tmp_path}/") for path in image_files(str(tmp_path))]
    assert found == ["a.jpg", "b.jpg", "d.jpg", "j.jpg", "e/f.jpg", "e/g.jpg", "h/i.jpg"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jpg", ["b.jpg"]),
        ("*", ["a.PNG", "b.jpg"]),
        ("**/*", ["a.PNG", "b.jpg", "deep/d.jpeg", "deep/er/c.webp"]),
        ("**/*.webp", ["deep/er/c.webp"]),
        ("deep/?.jpeg", ["deep/d.jpeg"]),
        ("[ab].*", ["a.PNG", "b.jpg"]),
    ],
)
def test_the_images_that_match_a_pattern_are_sorted(tree, pattern, found):
    assert list(image_files(pattern)) == found


def test_an_existing_file_is_preferred_to_its_name_as_a_pattern(tree):
    (tree / "b[1].jpg").write_bytes(b"")
    assert list(image_files("b[1].jpg")) == ["b[1].jpg"]


@pytest.mark.parametrize(("name", "reason"), [("empty", "no image in this folder"), ("*.bmp", "no image matches")])
def test_finding_no_image_is_an_error_that_lists_the_extensions(tree, name, reason):
    with pytest.raises(SourceError, match=rf"{reason}.*\.jpeg \.jpg"):
        list(image_files(name))


def test_a_named_pipe_is_refused_without_opening_it(tree):
    os.mkfifo(tree / "pipe.jpg")
    with pytest.raises(SourceError, match="not a regular file"):
        list(image_files("pipe.jpg"))
    assert "./pipe.jpg" not in list(image_files("."))


def test_a_link_to_a_parent_folder_is_not_followed_endlessly(tree):
    (tree / "deep" / "loop").symlink_to(tree)
    assert len(list(image_files("."))) == 4


def test_a_broken_link_is_yielded_so_that_it_is_reported(tree):
    (tree / "broken.jpg").symlink_to(tree / "nowhere.jpg")
    assert "./broken.jpg" in list(image_files("."))


def test_a_folder_that_cannot_be_read_is_reported_after_the_other_files(tree, monkeypatch):
    real = os.scandir

    def scandir(path):  # file mode 000 has no effect for root
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = image_files(".")
    assert [next(found), next(found)] == ["./a.PNG", "./b.jpg"]
    with pytest.raises(SourceError, match=r"\./deep: folder cannot be read: Permission denied"):
        next(found)


def test_folders_are_read_lazily(tree):
    found = image_files(".")
    assert next(found) == "./a.PNG"
    (tree / "deep" / "new.jpg").write_bytes(b"")
    assert "./deep/new.jpg" in list(found)
