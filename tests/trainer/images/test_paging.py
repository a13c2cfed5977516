"""Rows of a memory map that do not pile up in the process."""

from pathlib import Path

import numpy as np

from trainer.images.paging import release_pages, take


def resident(path):
    """Give how many bytes of a file this process has mapped in, as the system counts them."""
    _, _, entry = Path("/proc/self/smaps").read_text().partition(str(path))
    return int(entry.partition("Rss:")[2].split()[0]) * 1024


def test_what_is_written_and_read_leaves_the_process_and_stays_in_the_file(tmp_path):
    rows, width = 60, 2**20
    array = np.lib.format.open_memmap(tmp_path / "rows.npy", "w+", np.uint8, (rows, width))
    for row in range(rows):
        array[row] = row % 251
        release_pages(array)
    assert resident(tmp_path / "rows.npy") < 16 * width
    for row in range(rows):
        assert take(array, np.array([row]))[0, :2].tolist() == [row % 251] * 2
    assert resident(tmp_path / "rows.npy") < 16 * width


def memory(key):
    """Give a line of this process's memory in bytes: VmRSS, or VmHWM, the most since `forget_peak`."""
    _, _, entry = Path("/proc/self/status").read_text().partition(f"{key}:")
    return int(entry.split()[0]) * 1024


def forget_peak():
    Path("/proc/self/clear_refs").write_text("5")  # man 5 proc


def test_many_rows_taken_at_once_are_held_once_and_not_twice(tmp_path):
    rows, width = 640, 2**18
    array = np.lib.format.open_memmap(tmp_path / "rows.npy", "w+", np.uint8, (rows, width))
    array[:, 0] = np.arange(rows) % 251
    array.flush()
    release_pages(array)
    forget_peak()
    before = memory("VmRSS")
    values = take(array, np.arange(rows))
    assert values[:, 0].tolist() == [row % 251 for row in range(rows)]
    assert memory("VmHWM") - before < 1.4 * values.nbytes


def test_an_array_in_memory_is_only_copied_from():
    array = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(take(array, np.array([2, 0])), [[4, 5], [0, 1]])
