"""Which photographs travel with a RUN."""

from collections import Counter

from PIL import Image

from edge_runtime.model.spec import ModelSpec
from trainer.data.layout import Found
from trainer.images.dataset import Photo
from trainer.images.samples import balanced, safe_name, write_samples

SPEC = ModelSpec(height=16, width=16, labels=("cat", "dog"), output="sigmoid")


def photos(folder, draw_photo, suffix, counts):
    made = []
    for label, count in counts.items():
        for number in range(count):
            path = draw_photo(folder / label / f"{number}{suffix}", number, size=(40, 30))
            file = Found(path, f"{label}/{path.name}", label, "all")
            made.append(Photo(file, f"{label}{number:02}", number, "test"))
    return made


def test_classes_take_turns_until_one_runs_out(tmp_path, draw_photo):
    chosen = balanced(photos(tmp_path, draw_photo, ".png", {"cat": 2, "dog": 9}), 7)
    assert Counter(photo.file.label for photo in chosen) == {"cat": 2, "dog": 5}
    assert [photo.file.label for photo in chosen[:4]] == ["cat", "dog", "cat", "dog"]


def test_where_all_are_jpeg_the_first_is_written_as_png(tmp_path, draw_photo):
    (tmp_path / "samples").mkdir()
    write_samples(tmp_path / "samples", photos(tmp_path, draw_photo, ".jpg", {"cat": 5, "dog": 4}), SPEC)
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names[:3] == ["00-cat.png", "01-dog.jpg", "02-cat.jpg"]
    assert len(names) == 9
    assert (tmp_path / "samples" / "01-dog.jpg").read_bytes() == (tmp_path / "dog" / "0.jpg").read_bytes()
    assert Image.open(tmp_path / "samples" / "00-cat.png").format == "PNG"


def test_labels_become_safe_file_names():
    assert safe_name("Siamese cat/№ 1") == "Siamese-cat-1"
    assert safe_name("кошка") == "class"
    assert safe_name("../..") == "class"
