"""A simulated camera that serves H.264 over RTSP on loopback, with RTP in the RTSP connection (TCP)."""

from __future__ import annotations

import base64
import contextlib
import fractions
import functools
import socket
import socketserver
import struct
import threading
import time

import av
import numpy as np

CLOCK_HZ = 90_000
MOST_PAYLOAD_BYTES = 1400
START_CODE = b"\0\0\1"


@functools.cache
def encode(color, fps, size=(320, 240), seconds=1):
    """Return the access units of a video of one colour with a moving line; the first is a key frame.

    Each access unit is a list of NAL units.
    """
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height = size
    context.pix_fmt, context.time_base = "yuv420p", fractions.Fraction(1, fps)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(fps), "x264-params": "repeat-headers=1"}
    packets = []
    for index in range(fps * seconds):
        pixels = np.full((size[1], size[0], 3), color, np.uint8)
        pixels[index * 4 % size[1], :] = 255
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = index
        packets += context.encode(frame)
    return [nal_units(bytes(packet)) for packet in (*packets, *context.encode(None))]


def nal_units(data):
    return [part.rstrip(b"\0") for part in data.split(START_CODE)[1:] if part.rstrip(b"\0")]


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.connections.append(self.connection)
        try:
            while line := self.rfile.readline().decode().strip():
                self.answer(*line.split()[:2])
        except OSError:
            pass

    def answer(self, method, url):
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        extra, body = "Session: 1\r\n", ""
        if method == "OPTIONS":
            extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            body = self.description()
            extra = f"Content-Base: {url}/\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        elif method == "SETUP":
            extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
        self.wfile.write(f"RTSP/1.0 200 OK\r\nCSeq: {headers['cseq']}\r\n{extra}\r\n{body}".encode())
        if method == "PLAY":
            self.play()

    def description(self):
        units = self.server.access_units[0]
        sets = ",".join(base64.b64encode(unit).decode() for kind in (7, 8) for unit in units if unit[0] & 31 == kind)
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
            f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/{CLOCK_HZ}\r\n"
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\na=control:track0\r\n"
        )

    def play(self):
        sequence, index, began = 0, 0, time.monotonic()
        while True:
            stamp = index * CLOCK_HZ // self.server.fps
            for payload, last in payloads(self.server.access_units[index % len(self.server.access_units)]):
                header = struct.pack("!BBHII", 0x80, 96 | last << 7, sequence & 0xFFFF, stamp, 1)
                self.wfile.write(struct.pack("!cBH", b"$", 0, len(header) + len(payload)) + header + payload)
                sequence += 1
            index += 1
            time.sleep(max(0.0, began + index / self.server.fps - time.monotonic()))


def payloads(units):
    """Split an access unit into RTP payloads (RFC 6184: single NAL units, or FU-A fragments), and mark the last one."""
    result = []
    for unit in units:
        if len(unit) <= MOST_PAYLOAD_BYTES:
            result.append(unit)
            continue
        chunks = [unit[at : at + MOST_PAYLOAD_BYTES] for at in range(1, len(unit), MOST_PAYLOAD_BYTES)]
        for index, chunk in enumerate(chunks):
            marks = (0x80 if index == 0 else 0) | (0x40 if index == len(chunks) - 1 else 0)
            result.append(bytes([unit[0] & 0xE0 | 28, marks | unit[0] & 31]) + chunk)
    return [(payload, index == len(result) - 1) for index, payload in enumerate(result)]


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


class RtspServer:
    """Serves frames of one colour until it is stopped; a new server on the same port simulates its return."""

    def __init__(self, color, port=0, fps=20):
        self._server = Server(("127.0.0.1", port), Handler)
        self._server.access_units, self._server.fps, self._server.connections = encode(color, fps), fps, []
        self.port = self._server.server_address[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/camera"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self):
        """Break every connection and free the port."""
        self._server.shutdown()
        self._server.server_close()
        for connection in self._server.connections:
            with contextlib.suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
