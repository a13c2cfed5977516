"""Rows of a memory map that do not pile up in the process."""

from pathlib import Path

import numpy as np

from trainer.paging import let_go, take


def resident(path):
    """Give how many bytes of a file this process has mapped in, as the system counts them."""
    _, _, entry = Path("/proc/self/smaps").read_text().partition(str(path))
    return int(entry.partition("Rss:")[2].split()[0]) * 1024


def test_what_is_written_and_read_leaves_the_process_and_stays_in_the_file(tmp_path):
    rows, width = 60, 2**20
    array = np.lib.format.open_memmap(tmp_path / "rows.npy", "w+", np.uint8, (rows, width))
    for row in range(rows):
        array[row] = row % 251
        let_go(array)
    assert resident(tmp_path / "rows.npy") < 16 * width
    for row in range(rows):
        assert take(array, np.array([row]))[0, :2].tolist() == [row % 251] * 2
    assert resident(tmp_path / "rows.npy") < 16 * width


def test_an_array_in_memory_is_only_copied_from():
    array = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(take(array, np.array([2, 0])), [[4, 5], [0, 1]])
