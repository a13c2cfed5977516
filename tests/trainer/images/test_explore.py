"""What a data folder is like, told before training."""

import csv
import json
import subprocess
import sys

import pytest
from PIL import Image

from trainer.cli import main
from trainer.data.near_duplicates import Pair, near_pairs


def explore(capsys, *arguments):
    assert main(["explore", *map(str, arguments), "--no-cache"]) == 0
    return capsys.readouterr().out


@pytest.fixture
def doubtful(data, draw_photo):
    """Give a set with an imbalance, a file that is no photograph, and a smaller copy of a photograph."""
    for number in range(12):
        draw_photo(data / "dog" / f"more{number}.png", 500 + number)
    (data / "cat" / "bad.jpg").write_text("text")
    with Image.open(draw_photo(data / "cat" / "large.png", 900, size=(96, 96))) as image:
        image.resize((90, 90)).save(data / "cat" / "smaller.png")
    return data


def test_near_pairs_are_those_of_at_most_four_bits():
    base = 0x0123456789ABCDEF
    hashes = [base, base ^ 0b1111, base ^ 0b11111, base ^ (1 << 63 | 1 << 40 | 1 << 20 | 1)]
    assert near_pairs(hashes) == [Pair(0, 1, 4), Pair(0, 3, 4), Pair(1, 2, 1)]


def test_classes_sizes_near_duplicates_and_warnings_are_printed_as_json(doubtful, capsys):
    seen = json.loads(explore(capsys, doubtful, "--json", "--image-size", 96))
    assert {label: sum(splits.values()) for label, splits in seen["classes"].items()} == {"cat": 14, "dog": 24}
    assert seen["width"] == {"min": 24, "median": 24.0, "max": 96}
    assert seen["modes"] == {"RGB": 38}
    assert seen["left_out"][0]["path"] == "cat/bad.jpg"
    assert any("large.png" in pair and "smaller.png" in pair for pair in seen["near_duplicates"])
    told = " | ".join(seen["warnings"])
    for wanted in ("only 14 photographs; add some", "1.7 times as many photographs as 'cat'", "1 files are left out"):
        assert wanted in told
    assert "smaller than the model's 96 pixels; pass a smaller --image-size" in told


def test_likeness_across_splits_is_named_as_a_leak(data, capsys, draw_photo):
    first = 0
    for split, size in (("train", 96), ("test", 88)):
        for label in ("cat", "dog"):
            for number in range(first, first + 3):
                draw_photo(data.parent / "divided" / split / label / f"{number}.png", number)
            first += 3
        with Image.open(draw_photo(data.parent / "one.png", 7, size=(96, 96))) as image:
            image.resize((size, size)).save(data.parent / "divided" / split / "cat" / f"same-{split}.png")
    out = explore(capsys, data.parent / "divided")
    assert "same-test.png" in out
    assert "so the test accuracy is too high; remove one of each pair" in out


def test_the_csv_has_a_row_for_every_file(doubtful, tmp_path, capsys):
    explore(capsys, doubtful, "--csv", tmp_path / "files.csv")
    rows = list(csv.DictReader((tmp_path / "files.csv").open()))
    assert len(rows) == 39
    assert [row["path"] for row in rows if row["problem"]] == ["cat/bad.jpg"]
    assert {row["split"] for row in rows} == {"train", "validation", "test", ""}
    assert [row["looks_like"] for row in rows if row["path"] == "cat/smaller.png"] == ["cat/large.png"]


def test_exploring_needs_no_tensorflow(data, tmp_path):
    script = (
        "import sys\nfrom trainer.cli import main\n"
        f"assert main(['explore', {str(data)!r}, '--no-cache', '--html', {str(tmp_path / 'page.html')!r}]) == 0\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_report_that_cannot_be_written_is_named(data, tmp_path, capsys):
    assert main(["explore", str(data), "--no-cache", "--html", str(tmp_path / "none" / "page.html")]) == 1
    assert "page.html: cannot be written: No such file or directory; choose another place" in capsys.readouterr().err
