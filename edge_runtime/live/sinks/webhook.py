"""A webhook: send every event as one JSON POST."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from edge_runtime.errors import SourceError
from edge_runtime.live.sinks.outbox import DeliveryError, DeliveryRefused, Outbox
from edge_runtime.system.addresses import shown_receiver

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
        self,
        url: str,
        *,
        token: str | None = None,
        attempts: int = ATTEMPTS,
        timeout_s: float = TIMEOUT_S,
        first_pause_s: float = 1.0,
    ) -> None:
        """Check the URL; nothing is sent yet.

        Args:
            url: http or https.
            token: sent as a bearer token; None sends none.
            attempts: maximum number of attempts for each event.
            timeout_s: time limit of each attempt in seconds.
            first_pause_s: pause before the second attempt in seconds; each pause is twice the previous one.

        Raises:
            SourceError: not an http or https URL.

        """
        _check(url)
        self.url = url
        self._timeout_s = timeout_s
        self._token = token
        self._shown = shown_receiver(url)  # the path of a webhook is often its password
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
            raise (DeliveryError if again else DeliveryRefused)(f"{self._shown}: answered {answer.code}") from None
        except (OSError, http.client.HTTPException) as problem:
            reason = getattr(problem, "reason", None) or problem
            why = getattr(reason, "strerror", None) or str(reason).replace(self.url, self._shown)
            raise DeliveryError(f"{self._shown}: {why}") from None


def _check(url: str) -> None:
    """Raise SourceError if a URL is not http or https, or contains a login, which urllib does not send."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or not url.isascii() or not url.isprintable() or " " in url:
        raise SourceError(f"--webhook {shown_receiver(url)}: must be an http:// or https:// address")
    if "@" in parts.netloc:
        raise SourceError(f"--webhook {shown_receiver(url)}: remove the login; set {TOKEN_VARIABLE} instead")


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """Does not follow redirections, because urllib changes the POST to a GET and sends the token to the new address."""

    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401 - urllib's own signature
        return None
