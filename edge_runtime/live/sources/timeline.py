"""The time of each frame of a video file, whatever the timestamps in the file are."""

from __future__ import annotations

MOST_GAP_S = 10.0  # a longer one in a format that is meant to be joined is the beginning of another recording
TOLERANCE = 2.5  # frames by which a timestamp may go back within one recording


class Timeline:
    """Turn timestamps into seconds since the first frame, which never go back.

    Timestamps may be missing, begin anywhere, and begin again where recordings were joined. There the time continues
    with the duration of one frame.
    """

    def __init__(self, frame_s: float, *, is_joinable: bool) -> None:
        """Begin before the first frame.

        Args:
            frame_s: duration of a frame, for frames without a timestamp.
            is_joinable: whether files of this format remain valid when they are joined, such as MPEG-TS, so that a
                large gap is no pause.

        """
        self._frame_s = frame_s
        self._is_joinable = is_joinable
        self._offset_s = 0.0
        self._last_s: float | None = None

    def seconds(self, stamp_s: float | None) -> float:
        """Return the time of the next frame in seconds; `stamp_s` is its timestamp, if it has one."""
        expected_s = 0.0 if self._last_s is None else self._last_s + self._frame_s
        if stamp_s is None:
            seconds = expected_s
        else:
            if self._last_s is None or self._is_new_recording(stamp_s - self._offset_s - self._last_s):
                self._offset_s = stamp_s - expected_s
            seconds = max(stamp_s - self._offset_s, self._last_s or 0.0)
        self._last_s = seconds
        return seconds

    def _is_new_recording(self, gap_s: float) -> bool:
        return gap_s < -TOLERANCE * self._frame_s or (self._is_joinable and gap_s > MOST_GAP_S)
