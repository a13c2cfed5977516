from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.errors import SourceError
from edge_runtime.storage.publish import published_folder

HALF = """
import sys, time
from pathlib import Path
from edge_runtime.errors import SourceError
from edge_runtime.storage.publish import published_folder
with published_folder(Path(sys.argv[1]), overwrite=True, error=SourceError) as folder:
    (folder / "x").write_text("half")
    print("half", flush=True)
    time.sleep(60)
"""


def test_a_folder_is_published_whole(tmp_path):
    with published_folder(tmp_path / "a" / "out", overwrite=False, error=SourceError) as folder:
        (folder / "x").write_text("1")
        assert not (tmp_path / "a" / "out").exists()
    assert (tmp_path / "a" / "out" / "x").read_text() == "1"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]


def test_a_failure_publishes_nothing_and_keeps_the_older_folder(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "x").write_text("old")

    def fail():
        with published_folder(out, overwrite=True, error=SourceError) as folder:
            (folder / "x").write_text("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (out / "x").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_older_folder_is_replaced_only_when_asked(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "stale").write_text("old")
    with (
        pytest.raises(SourceError, match="exists already; choose another place or pass --overwrite"),
        published_folder(out, overwrite=False, error=SourceError),
    ):
        pass
    with published_folder(out, overwrite=True, error=SourceError) as folder:
        (folder / "x").write_text("new")
    assert [path.name for path in out.iterdir()] == ["x"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_place_that_cannot_be_written_is_the_callers_error(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SourceError, match="cannot be written"),
        published_folder(tmp_path / "file" / "out", overwrite=False, error=SourceError),
    ):
        pass


@pytest.fixture
def older(tmp_path):
    out = tmp_path / "place" / "out"
    out.mkdir(parents=True)
    (out / "x").write_text("old")
    return out


def test_a_process_that_is_killed_leaves_the_older_folder_and_the_next_one_cleans_up(older):
    other = subprocess.Popen([sys.executable, "-c", HALF, older], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "half\n"
    with published_folder(older, overwrite=True, error=SourceError) as folder:
        (folder / "x").write_text("new")
    assert (older / "x").read_text() == "new"
    (unfinished,) = older.parent.glob(".out.*.partial")  # of a process that is alive: not ours to remove
    assert (unfinished / "x").read_text() == "half"
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert (older / "x").read_text() == "new"
    with published_folder(older, overwrite=True, error=SourceError):
        pass
    assert list(older.parent.iterdir()) == [older]


@pytest.mark.parametrize("able", [True, False])
def test_an_older_folder_gives_way_also_where_two_cannot_be_swapped_in_one_step(older, monkeypatch, able):
    if not able:
        monkeypatch.setattr("edge_runtime.storage.publish.exchange", lambda one, other: False)
    with published_folder(older, overwrite=True, error=SourceError) as folder:
        (folder / "y").write_text("new")
    assert [path.name for path in older.iterdir()] == ["y"]
    assert list(older.parent.iterdir()) == [older]


def test_a_link_stands_and_the_folder_that_it_names_is_replaced(older):
    link = older.parent / "current"
    link.symlink_to("out")
    with published_folder(link, overwrite=True, error=SourceError) as folder:
        (folder / "x").write_text("new")
    assert link.is_symlink()
    assert (older / "x").read_text() == "new"
    assert sorted(path.name for path in older.parent.iterdir()) == ["current", "out"]


def test_files_and_folders_are_on_the_storage_device_before_and_after_the_exchange(tmp_path, monkeypatch):
    synced, published_at = [], []
    fsync = os.fsync

    def record(descriptor):
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        published_at.append((tmp_path / "out").exists())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    with published_folder(tmp_path / "out", overwrite=False, error=SourceError) as folder:
        (folder / "golden").mkdir()
        (folder / "golden" / "a.png").write_bytes(b"a")
        (folder / "model").write_bytes(b"m")
    names = [path.name for path in synced]
    assert set(names[:-1]) == {"model", "golden", "a.png", folder.name}
    assert (synced[-1], published_at) == (tmp_path, [False] * 4 + [True])
