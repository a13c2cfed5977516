"""A webhook: send every event as one JSON POST."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from edge_runtime.errors import SourceError
from edge_runtime.live.sinks.outbox import DeliveryError, DeliveryRefused, Outbox

if TYPE_CHECKING:
    from edge_runtime.live.records import Event, FramePrediction

ATTEMPTS = 6  # with pauses of 1, 2, 4, 8 and 16 s
TIMEOUT_S = 10.0
TOKEN_VARIABLE = "EDGE_RUN_WEBHOOK_TOKEN"  # noqa: S105 - the name of the variable, not a secret
RETRIED = frozenset({408, 425, 429})  # and every 5xx: temporary problems of the receiver


class Webhook:
    """Post events to a URL, in order, with a limited number of attempts each.

    Any status 2xx means success. After a time-out, a lost connection, or the status 5xx, 408, 425 or 429, the event is
    sent again. Any other status, including a redirection, means that the receiver refuses the event.

    Attributes:
        url: http or https.
        outbox: its queue and counts.

    """

    def __init__(
        self, url: str, *, attempts: int = ATTEMPTS, timeout_s: float = TIMEOUT_S, first_pause_s: float = 1.0
    ) -> None:
        """Check the URL; nothing is sent yet. EDGE_RUN_WEBHOOK_TOKEN, if set, is sent as a bearer token.

        Raises:
            SourceError: not an http or https URL.

        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SourceError(f"--webhook {url!r}: must be an http:// or https:// address")
        if parts.username or parts.password:
            raise SourceError(f"--webhook: keep secrets off the command line; set {TOKEN_VARIABLE} in the environment")
        self.url = url
        self._timeout_s = timeout_s
        self._token = os.environ.get(TOKEN_VARIABLE)
        self._opener = urllib.request.build_opener(_NoRedirection)
        self.outbox = Outbox("webhook", self._post, attempts=attempts, first_pause_s=first_pause_s)

    def prediction(self, prediction: FramePrediction) -> None:
        """Ignore it: a webhook is for events."""

    def event(self, event: Event) -> None:
        """Queue an event for posting."""
        self.outbox.put(event)

    def close(self) -> None:
        """Post what is queued, within a few seconds."""
        self.outbox.close()

    def _post(self, event: Event) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "edgewise"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = json.dumps(event.to_json()).encode()
        request = urllib.request.Request(self.url, body, headers, method="POST")  # noqa: S310 - the scheme is checked
        try:
            self._opener.open(request, timeout=self._timeout_s).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            again = answer.code in RETRIED or answer.code >= http.client.INTERNAL_SERVER_ERROR
            raise (DeliveryError if again else DeliveryRefused)(f"{self.url}: answered {answer.code}") from None
        except (OSError, http.client.HTTPException) as problem:
            reason = getattr(problem, "reason", None) or problem
            raise DeliveryError(f"{self.url}: {getattr(reason, 'strerror', None) or reason}") from None


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """Does not follow redirections, because urllib changes the POST to a GET and sends the token to the new address."""

    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401 - urllib's own signature
        return None
