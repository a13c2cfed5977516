"""A minimal stand-in for picamera2, written from its documentation, for tests without a Raspberry Pi."""

from __future__ import annotations

import time

import numpy as np


class Request:
    def __init__(self, camera):
        self._camera = camera

    def make_array(self, name):
        width, height = self._camera.configuration[name]["size"]
        pixels = np.full((height, width, 3), (220, 30, 20), np.uint8)
        # As in picamera2: in memory, "RGB888" is B, G, R, and "BGR888" is R, G, B.
        return pixels if self._camera.configuration[name]["format"] == "BGR888" else pixels[..., ::-1]

    def get_metadata(self):
        return {"SensorTimestamp": self._camera.stamp_ns}

    def release(self):
        self._camera.out -= 1


class Picamera2:
    latest = None
    absent = False

    def __init__(self):
        if Picamera2.absent:
            raise IndexError("list index out of range")  # picamera2 raises this without a camera
        Picamera2.latest = self
        self.running, self.out, self.frames, self.stamp_ns = False, 0, 0, 0
        self.same_stamp = self.broken = False

    def create_video_configuration(self, main, lores=None, controls=None, buffer_count=6):
        return {"main": main, "lores": lores, "controls": controls, "buffer_count": buffer_count}

    def configure(self, configuration):
        self.configuration = configuration

    def start(self):
        self.running = True

    def capture_request(self):
        if self.broken:
            raise RuntimeError("camera frontend has timed out")
        self.out += 1
        assert self.out == 1, "a request was not released"
        if not self.same_stamp:
            self.stamp_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 50_000_000
        return Request(self)

    def close(self):
        self.running = False
