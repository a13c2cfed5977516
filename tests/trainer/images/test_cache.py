"""Pixels are decoded once."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from edge_runtime.model.spec import ModelSpec
from trainer.data.layout import scan
from trainer.images import cache as caching
from trainer.images.cache import cached_decode, default_cache
from trainer.images.pixels import decode

SPEC = ModelSpec(height=16, width=16, labels=("cat", "dog"), output="sigmoid")


@pytest.fixture
def decoded(monkeypatch):
    """Give the names of the files that are decoded, as they are."""
    names = []
    decode_into = caching.decode_into

    def noted(row, content, file, spec):
        names.append(file.name)
        return decode_into(row, content, file, spec)

    monkeypatch.setattr(caching, "decode_into", noted)
    return names


def read(data, cache, spec=SPEC):
    return cached_decode([data], scan(data).files, spec, cache)


def assert_right(result, data):
    plain = decode(scan(data).files, SPEC)
    assert result.digests == plain.digests
    assert result.reasons == plain.reasons
    good = [at for at, reason in enumerate(plain.reasons) if not reason]
    np.testing.assert_array_equal(result.pixels[good], plain.pixels[good])


def test_the_second_time_nothing_is_decoded(data, tmp_path, decoded):
    (data / "cat" / "bad.jpg").write_text("text")
    assert_right(read(data, tmp_path / "cache"), data)
    assert len(decoded) == 25
    again = read(data, tmp_path / "cache")
    assert len(decoded) == 25
    assert isinstance(again.pixels, np.memmap)
    assert_right(again, data)


def test_only_what_changed_is_decoded(data, tmp_path, decoded, draw_photo):
    read(data, tmp_path / "cache")
    decoded.clear()
    draw_photo(data / "cat" / "cat000.png", 999)
    draw_photo(data / "cat" / "new.png", 1000)
    (data / "dog" / "dog000.png").unlink()
    (data / "dog" / "dog001.png").rename(data / "dog" / "renamed.png")
    os.utime(data / "dog" / "dog002.png")
    assert_right(read(data, tmp_path / "cache"), data)
    assert sorted(decoded) == ["cat/cat000.png", "cat/new.png"]
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 1


def test_two_processes_fill_one_cache_at_once(data, tmp_path):
    code = (
        "import sys; from pathlib import Path; from edge_runtime.model.spec import ModelSpec; "
        "from trainer.images.cache import cached_decode; from trainer.data.layout import scan; "
        "data = Path(sys.argv[1]); "
        "spec = ModelSpec(height=16, width=16, labels=('cat', 'dog'), output='sigmoid'); "
        "print(cached_decode([data], scan(data).files, spec, Path(sys.argv[2])).pixels.sum())"
    )
    command = [sys.executable, "-c", code, data, tmp_path / "cache"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    results = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    assert {int(out) for out, _ in results} == {int(read(data, tmp_path / "cache").pixels.sum())}
    assert sum("reading" in err for _, err in results) == 1


def test_a_folder_that_was_moved_or_copied_is_not_decoded_again(data, tmp_path, decoded):
    read(data, tmp_path / "cache")
    decoded.clear()
    shutil.copytree(data, tmp_path / "copy", copy_function=shutil.copyfile)
    assert_right(read(tmp_path / "copy", tmp_path / "cache"), tmp_path / "copy")
    data.rename(tmp_path / "moved")
    assert_right(read(tmp_path / "moved", tmp_path / "cache"), tmp_path / "moved")
    assert not decoded


def test_files_of_another_folder_with_equal_names_and_sizes_are_distinguished(data, tmp_path):
    read(data, tmp_path / "cache")
    other = tmp_path / "other"
    shutil.copytree(data, other)
    first, second = sorted((other / "cat").iterdir())[:2]
    first_content, times = first.read_bytes(), first.stat()
    first.write_bytes(second.read_bytes()[: len(first_content)].ljust(len(first_content), b"\0"))
    os.utime(first, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert_right(read(other, tmp_path / "cache"), other)


def test_another_spec_has_its_own_pixels(data, tmp_path):
    read(data, tmp_path / "cache")
    padded = ModelSpec(height=16, width=16, labels=("cat", "dog"), output="sigmoid", resize="pad")
    assert not np.array_equal(read(data, tmp_path / "cache").pixels, read(data, tmp_path / "cache", padded).pixels)


def test_a_damaged_cache_is_replaced(data, tmp_path, decoded):
    read(data, tmp_path / "cache")
    for path in (tmp_path / "cache").rglob("*.npy"):
        path.write_bytes(b"damaged")
    assert_right(read(data, tmp_path / "cache"), data)


def test_a_flipped_byte_of_a_cached_image_is_detected_and_only_its_photograph_is_read(data, tmp_path, decoded, capsys):
    read(data, tmp_path / "cache")
    decoded.clear()
    [path] = (tmp_path / "cache").rglob("*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # of the last photograph
    path.write_bytes(content)
    assert_right(read(data, tmp_path / "cache"), data)
    assert decoded == ["dog/dog011.png"]
    assert capsys.readouterr().err.count("1 cached images are damaged; their photographs are read again") == 1
    decoded.clear()
    assert_right(read(data, tmp_path / "cache"), data)
    assert not decoded


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_flipped_byte_of_the_index_is_detected(data, tmp_path, at, capsys):
    read(data, tmp_path / "cache")
    [path] = (tmp_path / "cache").rglob("index.json")
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1
    path.write_bytes(content)
    assert_right(read(data, tmp_path / "cache"), data)
    assert capsys.readouterr().err.count("the cache is damaged; the photographs are read again") == 1


def test_a_damaged_cache_of_another_folder_is_not_copied(data, tmp_path):
    read(data, tmp_path / "cache")
    shutil.copytree(data, tmp_path / "copy")
    [path] = (tmp_path / "cache").rglob("*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert_right(read(tmp_path / "copy", tmp_path / "cache"), tmp_path / "copy")


def test_without_room_on_the_disk_nothing_is_cached(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(caching, "SPARE_BYTES", 1 << 60)
    assert_right(read(data, tmp_path / "cache"), data)
    assert "MiB are free; nothing is cached; pass --cache DIR for another folder" in capsys.readouterr().err
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_a_cache_that_cannot_be_written_is_a_warning(data, tmp_path, capsys):
    (tmp_path / "cache").write_text("a file")
    assert_right(read(data, tmp_path / "cache"), data)
    assert f"warning: {tmp_path / 'cache'}: the cache cannot be written" in capsys.readouterr().err


def test_an_interruption_leaves_the_older_cache_whole(data, tmp_path, monkeypatch, draw_photo):
    before = read(data, tmp_path / "cache")
    kept = before.pixels.copy()
    draw_photo(data / "cat" / "new.png", 1)
    shutil.rmtree(data / "dog")
    shutil.copytree(data / "cat", data / "dog")

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(caching, "write_text", stopped)
    with pytest.raises(KeyboardInterrupt):
        read(data, tmp_path / "cache")
    [left] = (tmp_path / "cache").rglob("*.npy")
    np.testing.assert_array_equal(np.load(left), kept)


def test_the_default_place_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "edgewise"


def test_what_no_run_has_asked_for_in_long_is_removed_when_more_is_kept(data, tmp_path, draw_photo):
    cache = tmp_path / "cache"
    read(data, cache)
    shutil.copytree(data, tmp_path / "copy")
    read(tmp_path / "copy", cache)
    for index in cache.glob("*/*/index.json"):
        os.utime(index, (0, 0))
    read(data, cache)
    draw_photo(data / "cat" / "new.png", 1000)
    assert_right(read(data, cache), data)
    assert len(list(cache.rglob("*.npy"))) == 1
