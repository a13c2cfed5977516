"""A simulated camera that serves MJPEG over HTTP on loopback, as `multipart/x-mixed-replace`."""

from __future__ import annotations

import io
import itertools
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


def jpeg(color, number, size=(320, 240)):
    """Return a JPEG of one colour; each number gives different bytes."""
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, "JPEG", comment=str(number))
    return stream.getvalue()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            while not self.server.stopped.is_set():
                if self.server.silent.is_set():
                    time.sleep(0.01)
                    continue
                data = self.server.next_frame()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                time.sleep(1 / self.server.fps)
        except OSError:
            pass
        self.close_connection = True


class MjpegServer:
    """Serves frames of one colour, or pictures, until it is stopped.

    A new server on the same port simulates its return.
    """

    def __init__(self, color, port=0, fps=30):
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.fps = fps
        self.show(color)
        self._server.stopped, self._server.silent = threading.Event(), threading.Event()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def show(self, color):
        self._server.next_frame = lambda: jpeg(color, time.monotonic_ns())

    def play(self, pictures):
        """Play encoded pictures in a loop, each with a comment of its own, as a camera's frames are never equal."""
        shown = itertools.cycle(pictures)

        def next_frame():
            content = next(shown)
            return content[:2] + b"\xff\xfe\x00\x0a" + time.monotonic_ns().to_bytes(8, "big") + content[2:]

        self._server.next_frame = next_frame

    def fall_silent(self):
        self._server.silent.set()

    def stop(self):
        """Break every connection and free the port."""
        self._server.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
