"""The event log in a SQLite file."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from dataclasses import replace

import pytest

from edge_runtime.errors import SourceError
from edge_runtime.live.sinks.eventlog import SMALLEST_BUDGET_BYTES, EventLog, read_events

BUDGET = 4_000_000
SHARED_MEMORY_BYTES = 32_768  # size of -shm, which is not written to the medium


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


def size(path):
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def write_and_close(log, events):
    for event in events:
        log.event(event)
    log.close()


def test_an_event_is_read_as_it_was_written(path, make_event):
    event = make_event(7, "left", score=0.75, duration_s=2.5, detail="a 'quoted' ü", thumbnail=b"\xff\xd8\0jpeg")
    event = replace(event, familiarity=0.75)
    write_and_close(EventLog(path, budget_bytes=BUDGET), [event])
    assert read_events(path) == [event]


def test_a_log_of_an_earlier_version_is_read_and_continued(path, make_event):
    write_and_close(EventLog(path, budget_bytes=BUDGET), [make_event(1)])
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("ALTER TABLE events DROP COLUMN familiarity; PRAGMA user_version = 1")
    assert read_events(path) == [make_event(1)]
    assert read_events(path, pictures=False) == [make_event(1)]
    write_and_close(EventLog(path, budget_bytes=BUDGET), [make_event(2, familiarity=0.5)])
    assert read_events(path) == [make_event(1), make_event(2, familiarity=0.5)]
    write_and_close(EventLog(path, budget_bytes=BUDGET), [make_event(3)])
    assert [event.frame for event in read_events(path)] == [1, 2, 3]


def test_the_size_stays_within_the_budget_and_the_oldest_events_are_deleted(path, make_event):
    log = EventLog(path, budget_bytes=SMALLEST_BUDGET_BYTES)
    write, sizes = log.outbox._deliver, []

    def measured(event):
        write(event)
        sizes.append(size(path))

    log.outbox._deliver = measured
    for number in range(300):
        log.event(make_event(number, thumbnail=os.urandom(10_000)))
    log.close()
    kept = [event.frame for event in read_events(path, newest=1000)]
    assert len(sizes) == 300
    assert max(sizes) <= SMALLEST_BUDGET_BYTES + SHARED_MEMORY_BYTES
    assert kept == list(range(kept[0], 300))
    assert len(kept) > 40


def test_a_smaller_budget_shrinks_the_file(path, make_event):
    write_and_close(
        EventLog(path, budget_bytes=BUDGET), [make_event(n, thumbnail=os.urandom(20_000)) for n in range(150)]
    )
    before = size(path)
    write_and_close(EventLog(path, budget_bytes=SMALLEST_BUDGET_BYTES), [make_event(150)])
    assert before > 2_500_000
    assert size(path) <= SMALLEST_BUDGET_BYTES


def test_events_are_appended_to_an_existing_log(path, make_event):
    write_and_close(EventLog(path, budget_bytes=BUDGET), [make_event(1)])
    write_and_close(EventLog(path, budget_bytes=BUDGET), [make_event(2)])
    assert [event.frame for event in read_events(path)] == [1, 2]


def test_a_killed_process_loses_no_event_that_was_counted_as_delivered(path):
    code = """
        import os, sys
        from pathlib import Path
        from edge_runtime.live.records import Event
        from edge_runtime.live.sinks.eventlog import EventLog
        log = EventLog(Path(sys.argv[1]), budget_bytes=10_000_000)
        for number in range(100_000):
            log.event(Event("entered", "cam", 0.0, frame=number, thumbnail=bytes(5000)))
            while log.outbox.counts().delivered <= number: pass
            print(number, flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        printed = [int(process.stdout.readline()) for _ in range(40)][-1]
        process.send_signal(signal.SIGKILL)
    kept = [event.frame for event in read_events(path, newest=10_000)]
    assert kept == list(range(len(kept)))
    assert len(kept) > printed


def test_each_event_is_synced_to_the_medium(path):
    log = EventLog(path, budget_bytes=BUDGET)
    pragma = {name: log._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    log.close()
    assert pragma == {"journal_mode": "wal", "synchronous": 2}


@pytest.mark.parametrize("damage", [b"not a database at all" * 100, None])
def test_a_damaged_log_is_renamed_and_a_new_one_is_created(path, make_event, capfd, damage):
    write_and_close(EventLog(path, budget_bytes=BUDGET), [make_event(n, thumbnail=bytes(9000)) for n in range(20)])
    content = bytearray(path.read_bytes())
    content[4096:40_000] = b"\xa5" * (40_000 - 4096)
    path.write_bytes(damage or content)
    write_and_close(EventLog(path, budget_bytes=BUDGET), [make_event(99)])
    assert [event.frame for event in read_events(path)] == [99]
    assert len(list(path.parent.glob("events.db.damaged-*"))) == 1
    assert "renamed to events.db.damaged-" in capfd.readouterr().err


def test_the_database_of_another_program_is_refused(path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (name)")
    with pytest.raises(SourceError, match="not an event log of this version of edgewise"):
        EventLog(path, budget_bytes=BUDGET)


def test_a_path_that_cannot_be_opened_is_an_error_that_says_why(tmp_path):
    with pytest.raises(SourceError, match="cannot be opened as an event log"):
        EventLog(tmp_path / "none" / "events.db", budget_bytes=BUDGET)
    with pytest.raises(SourceError, match="no such event log"):
        read_events(tmp_path / "none.db")


def test_events_are_written_while_another_program_reads_the_log(path, make_event, wait_until):
    log = EventLog(path, budget_bytes=BUDGET)
    log.event(make_event(1))
    wait_until(lambda: log.outbox.counts().delivered == 1)
    reader = sqlite3.connect(path)
    rows = reader.execute("SELECT * FROM events")
    log.event(make_event(2))
    wait_until(lambda: log.outbox.counts().delivered == 2)
    rows.fetchall()
    reader.close()
    log.close()


@pytest.mark.parametrize("how", ["removed", "moved", "only the write-ahead log"])
def test_no_event_is_lost_if_the_log_is_removed_or_moved_while_it_is_in_use(path, make_event, wait_until, capfd, how):
    log = EventLog(path, budget_bytes=BUDGET)
    for number in range(40):
        log.event(make_event(number))
        wait_until(lambda expected=number + 1: log.outbox.counts().delivered == expected)
        if number == 19 and how == "moved":
            path.rename(path.with_name("events.db.1"))
        elif number == 19:
            for file in path.parent.glob("events.db*" if how == "removed" else "events.db-wal"):
                file.unlink()
    log.close()
    kept = [event.frame for event in read_events(path)]
    assert kept == list(range(0 if how == "only the write-ahead log" else 20, 40))
    if how == "moved":
        assert [event.frame for event in read_events(path.with_name("events.db.1"))] == list(range(20))
    assert "events.db: was removed or moved; a new log begins" in capfd.readouterr().err
    assert log.outbox.counts() == (40, 0, 0)


def test_a_log_that_is_damaged_while_it_is_in_use_is_opened_again(path, make_event, wait_until):
    log = EventLog(path, budget_bytes=BUDGET)
    insert, calls = log._insert, []

    def fail_once(event):
        calls.append(event)
        if len(calls) == 1:
            raise sqlite3.DatabaseError("database disk image is malformed")
        insert(event)

    log._insert = fail_once
    log.outbox._first_pause_s = 0.01
    log.event(make_event(1))
    wait_until(lambda: log.outbox.counts().delivered == 1)
    log.close()
    assert [event.frame for event in read_events(path)] == [1]


def test_a_damaged_log_that_cannot_be_renamed_is_one_clear_line(path, monkeypatch):
    path.write_bytes(os.urandom(20_000))

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.rename", refuse)
    with pytest.raises(SourceError, match=r"cannot be replaced by a new log \(Permission denied\); choose another"):
        EventLog(path, budget_bytes=BUDGET)
