"""A TCP server on loopback that sends exactly the bytes that a test gives it, as cheap cameras do."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class RawHttpServer:
    """Answer each connection by calling `answer(request, send)`, where `send` sends bytes; then close it.

    Attributes:
        url: its address.
        requests: the requests so far, with their headers.

    """

    def __init__(self, answer):
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self.requests = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._respond, args=(connection,), daemon=True).start()

    def _respond(self, connection):
        with connection, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                if not (data := connection.recv(4096)):
                    return
                request += data
            self.requests.append(request.decode())
            self._answer(self.requests[-1], connection.sendall)

    def stop(self):
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
