"""A sink that records all predictions and events."""

from __future__ import annotations

import threading


class Recorder:
    def __init__(self):
        self.predictions, self.events, self.items = [], [], []
        self.closed = False
        self.changed = threading.Condition()

    def prediction(self, prediction):
        self._add(self.predictions, prediction)

    def event(self, event):
        self._add(self.events, event)

    def close(self):
        self.closed = True

    def kinds(self):
        return [event.kind for event in self.events]

    def _add(self, record, item):
        with self.changed:
            record.append(item)
            self.items.append(item)
            self.changed.notify_all()
