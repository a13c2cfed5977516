"""A log of events with thumbnails in one SQLite file, which stays below a size limit and survives power cuts.

It uses write-ahead logging with synchronous=FULL: each event is on the medium before the next one is written, and a
power cut during a write leaves the file as it was before. Events are rare, so the time for the sync does not matter.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, get_args

from edge_runtime.errors import SourceError
from edge_runtime.live.records import Event, EventKind
from edge_runtime.live.sinks.outbox import DeliveryError, Outbox

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.live.records import FramePrediction

SCHEMA_VERSION = 2
VERSION_WITHOUT_FAMILIARITY = 1
SIDE_FILES = ("-wal", "-shm")
BUSY_S = 5.0  # how long to wait while another program reads the file
PAGE_BYTES = 4096
WAL_PAGES = 64  # reserved for the write-ahead log, a quarter of a megabyte
# From this size on, the write-ahead log is copied into the file. One more event, the deletion of old events that makes
# room for it, and the vacuum after it may be added to the log before that.
CHECKPOINT_PAGES = 16
SMALLEST_BUDGET_BYTES = 1_000_000
COLUMNS = "kind, source, at, label, score, duration_s, frame, detail, thumbnail, familiarity"
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, source TEXT NOT NULL, at REAL NOT NULL, label TEXT NOT NULL, score REAL NOT NULL,
    duration_s REAL NOT NULL, frame INTEGER NOT NULL, detail TEXT NOT NULL, thumbnail BLOB,
    familiarity REAL
);
CREATE INDEX IF NOT EXISTS events_at ON events (at);
PRAGMA user_version = {SCHEMA_VERSION};
"""
UPGRADE = f"""
BEGIN; ALTER TABLE events ADD COLUMN familiarity REAL; PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;
"""


class EventLog:
    """Write events to a SQLite file; the oldest are deleted to make room for new ones.

    Attributes:
        path: the file; `-wal` and `-shm` next to it belong to it.
        outbox: its queue and counts.

    """

    def __init__(self, path: Path, *, budget_bytes: int) -> None:
        """Open or create the file. Rename and report a damaged one, and create a new one.

        Args:
            path: its folder must exist.
            budget_bytes: size limit of the file and its write-ahead log, at least SMALLEST_BUDGET_BYTES.

        Raises:
            SourceError: the file cannot be opened, or belongs to another program or version.

        """
        self.path = path
        self._budget_pages = (max(budget_bytes, SMALLEST_BUDGET_BYTES) // PAGE_BYTES) - WAL_PAGES
        self._connection = _open_or_replace(path)
        self._files = _files(path)
        self.outbox = Outbox("event log", self._write, attempts=3)

    def prediction(self, prediction: FramePrediction) -> None:
        """Ignore it: the log contains only events."""

    def event(self, event: Event) -> None:
        """Queue an event for writing."""
        self.outbox.put(event)

    def close(self) -> None:
        """Write what is queued and close the file."""
        self.outbox.close()
        with closing(self._connection):
            pass

    def _write(self, event: Event) -> None:
        if _files(self.path) != self._files:
            print(f"edge-run: {self.path}: was removed or moved; a new log begins", file=sys.stderr, flush=True)
            self._open_again()
        try:
            self._insert(event)
        except sqlite3.OperationalError as problem:  # such as a full disk
            raise DeliveryError(f"{self.path}: {problem}") from None
        except sqlite3.DatabaseError as problem:
            self._open_again()
            raise DeliveryError(f"{self.path}: {problem}") from None
        if _files(self.path) != self._files:
            raise DeliveryError(f"{self.path}: was removed or moved while it was written")

    def _open_again(self) -> None:
        """Open the log under its name. The old connection is closed before, because that removes `-wal` by its name."""
        with suppress(sqlite3.Error):  # closing alone would not write the newest events into a file that was moved
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with suppress(sqlite3.Error):
            self._connection.close()
        try:
            self._connection = _open_or_replace(self.path)
        except SourceError as problem:
            self._files = ()
            raise DeliveryError(str(problem)) from None
        self._files = _files(self.path)

    def _insert(self, event: Event) -> None:
        values = (event.kind, event.source, event.at, event.label, event.score)
        rest = (event.duration_s, event.frame, event.detail, event.thumbnail, event.familiarity)
        with self._connection:
            marks = ", ".join("?" * len(COLUMNS.split(",")))
            self._connection.execute(f"INSERT INTO events ({COLUMNS}) VALUES ({marks})", (*values, *rest))  # noqa: S608 - constants alone
            self._make_room()
        # execute() would run only one step of it, which frees one page
        self._connection.executescript("PRAGMA incremental_vacuum")

    def _make_room(self) -> None:
        """Delete the oldest events, in the transaction that adds one, until the used pages fit into the limit."""
        while self._pages_in_use() > self._budget_pages:
            deleted = self._connection.execute(
                "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT 8)"
            ).rowcount
            if not deleted:
                return

    def _pages_in_use(self) -> int:
        total, free = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")
        )
        return int(total) - int(free)


def read_events(path: Path, *, newest: int = 100, pictures: bool = True) -> list[Event]:
    """Return the newest events of a log, oldest first; the log may be in use. Raise SourceError.

    Args:
        path: the log.
        newest: maximum number of events.
        pictures: False leaves out the thumbnails, which need most of the memory.

    """
    if not path.is_file():
        raise SourceError(f"{path}: no such event log")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as connection:
            columns = COLUMNS if pictures else COLUMNS.replace("thumbnail", "NULL")
            if _version(connection) == VERSION_WITHOUT_FAMILIARITY:
                columns = columns.replace("familiarity", "NULL")
            query = f"SELECT {columns} FROM events ORDER BY id DESC LIMIT ?"  # noqa: S608 - constants alone
            rows = connection.execute(query, (newest,)).fetchall()
    except sqlite3.Error as problem:
        raise SourceError(f"{path}: not readable as an event log: {problem}") from None
    return [Event(*row) for row in reversed(rows) if row[0] in get_args(EventKind)]


def _open_or_replace(path: Path) -> sqlite3.Connection:
    """Open the log. If it is damaged, rename it and create a new one, so that the device keeps running unattended."""
    try:
        return _open(path)
    except sqlite3.DatabaseError as problem:
        if isinstance(problem, sqlite3.OperationalError):
            raise SourceError(f"{path}: cannot be opened as an event log: {problem}") from None
        return _replace(path, str(problem))


def _replace(path: Path, damage: str) -> sqlite3.Connection:
    """Rename a damaged log and create a new one. Raise SourceError."""
    aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
    try:
        path.rename(aside)
        for ending in SIDE_FILES:
            path.with_name(path.name + ending).unlink(missing_ok=True)
        print(f"edge-run: {path}: damaged ({damage}); renamed to {aside.name}, a new log begins", file=sys.stderr)
        return _open(path)
    except (OSError, sqlite3.Error) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise SourceError(
            f"{path}: damaged ({damage}), and cannot be replaced by a new log ({why}); choose another file, or "
            "make its folder writable"
        ) from None


def _files(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """Return the identities of the log and of its write-ahead log, which change if one is removed or replaced."""
    return tuple(_identity(path.with_name(path.name + ending)) for ending in ("", SIDE_FILES[0]))


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _open(path: Path) -> sqlite3.Connection:
    # Another thread uses it, the outbox's, but only that one once it is open.
    connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
    try:
        _check(connection, path)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table, or it has no effect
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_PAGES * PAGE_BYTES}")
        if _version(connection) == VERSION_WITHOUT_FAMILIARITY:
            connection.executescript(UPGRADE)
        connection.executescript(SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise SourceError for another program's database, and sqlite3.DatabaseError for a damaged one."""
    version = _version(connection)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    if version not in {VERSION_WITHOUT_FAMILIARITY, SCHEMA_VERSION} and tables:
        raise SourceError(f"{path}: a database, but not an event log of this version of edgewise; choose another file")
    if (state := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(state)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
