from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_runtime.storage.regular_files import NotRegularError, opened_inside, read_at_most, read_descriptor


def test_a_regular_file_is_read_up_to_the_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_at_most(path, 5) == b"12345"
    with pytest.raises(NotRegularError, match="more than 4 bytes"):
        read_at_most(path, 4)


def test_a_link_to_a_file_is_followed_but_not_to_a_device(tmp_path):
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "link").symlink_to("file")
    assert read_at_most(tmp_path / "link", 9) == b"1"
    (tmp_path / "endless").symlink_to("/dev/zero")
    with pytest.raises(NotRegularError):
        read_at_most(tmp_path / "endless", 9)


def test_a_named_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotRegularError):
        read_at_most(tmp_path / "pipe", 9)


def test_descriptors_are_closed_also_after_a_failure(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(b"1")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with opened_inside(tmp_path, "a/file") as descriptor:
        assert read_descriptor(descriptor, 9) == b"1"
    for relative in ("a/none", "none/file", "a/file/file", "a"):
        with pytest.raises(OSError, match=r"."), opened_inside(tmp_path, relative):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before
