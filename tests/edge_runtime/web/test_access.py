"""Tokens, sessions, and the header fields that say where a request came from."""

from __future__ import annotations

import asyncio
import http.client
import socket

import pytest

from edge_runtime.web.protection import logs
from edge_runtime.web.protection.access import AccessError, check_token, parse_public_url
from edge_runtime.web.protection.attempts import BURST, MAX_ADDRESSES, MAX_WAIT_S, PAUSE_S, Attempts
from edge_runtime.web.protection.sessions import MAX_SESSIONS, SESSION_S, Sessions

TOKEN = "correct-horse-battery-staple"


def request(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
    answer = connection.getresponse()
    answer.content = answer.read()
    connection.close()
    return answer


def raw(server, data):
    with socket.create_connection(("127.0.0.1", server.port), 5) as peer:
        peer.sendall(data)
        return peer.recv(65_536)


def log_in(server, **headers):
    return request(server, "POST", "/login", f"token={TOKEN}", **headers).headers["Set-Cookie"]


@pytest.fixture
def waits(monkeypatch):
    """Replace the waiting with a list of the waits, on a clock that they advance."""
    now, waited = [0.0], []

    async def sleep(seconds):
        waited.append(seconds)
        now[0] += seconds

    monkeypatch.setattr("edge_runtime.web.protection.attempts.asyncio.sleep", sleep)
    return now, waited


def check(attempts, address, right, **options):
    return asyncio.run(attempts.check(address, lambda: right, **{"known_first": False, **options}))


def test_after_a_few_wrong_tokens_an_address_waits_before_the_next_one_is_checked(waits):
    now, waited = waits
    attempts = Attempts(clock=lambda: now[0])
    assert [check(attempts, "10.0.0.1", right=False) for _ in range(BURST)] == [False] * BURST
    assert waited == []
    assert [check(attempts, "10.0.0.1", right=False) for _ in range(5)] == [False] * 5
    assert waited == [PAUSE_S] * 5
    assert check(attempts, "10.0.0.1", right=True) is True
    assert len(waited) == 6  # a right token waits as well
    assert check(attempts, "10.0.0.2", right=False) is False
    assert len(waited) == 6


def test_many_tokens_at_once_are_not_checked(monkeypatch):
    attempts, compared = Attempts(clock=lambda: 0.0), []

    async def sleep(seconds):
        pass

    monkeypatch.setattr("edge_runtime.web.protection.attempts.asyncio.sleep", sleep)
    verdicts = [
        asyncio.run(attempts.check("10.0.0.1", lambda: bool(compared.append(1)), known_first=False)) for _ in range(100)
    ]
    assert verdicts.count(None) == 100 - len(compared)
    assert len(compared) == BURST + MAX_WAIT_S / PAUSE_S


def test_a_known_address_is_not_delayed_by_the_wrong_tokens_of_others(waits):
    now, waited = waits
    attempts = Attempts(clock=lambda: now[0])
    assert check(attempts, "10.0.0.1", right=True)
    for _ in range(BURST + 3):
        check(attempts, "10.0.0.1", right=False, known_first=True)
    waited.clear()
    assert check(attempts, "10.0.0.1", right=True, known_first=True)
    assert waited == []


def test_the_addresses_of_one_ipv6_network_count_as_one_and_the_table_is_bounded():
    attempts = Attempts(clock=lambda: 0.0)
    for number in range(BURST):
        check(attempts, f"2001:db8::{number}", right=False)
    assert attempts._reserve("2001:db8::/64") == PAUSE_S
    assert attempts._reserve("2001:db8:1::/64") == 0
    for number in range(2 * MAX_ADDRESSES):
        attempts._reserve(f"10.1.{number // 256}.{number % 256}")
    assert len(attempts._empty_s) <= MAX_ADDRESSES


def test_sessions_expire_can_be_ended_and_are_bounded():
    now = [0.0]
    sessions = Sessions(clock=lambda: now[0])
    first, second = sessions.start(), sessions.start()
    sessions.end(first)
    assert (sessions.is_open(first), sessions.is_open(second), sessions.is_open("")) == (False, True, False)
    now[0] = SESSION_S
    assert not sessions.is_open(second)
    last = [sessions.start() for _ in range(MAX_SESSIONS + 1)]
    assert not sessions.is_open(last[0])
    assert sessions.is_open(last[-1])


def test_logging_out_ends_the_session_and_its_event_streams(serving):
    server = serving(token=TOKEN)
    cookie = log_in(server).split(";")[0]
    stream = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    stream.request("GET", "/events", headers={"Cookie": cookie})
    streaming = stream.getresponse()
    answer = request(server, "POST", "/logout", Cookie=cookie)
    assert (answer.status, answer.headers["Location"]) == (303, "/login")
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert b"hello" in streaming.read()  # until the server ends the stream
    assert request(server, "GET", "/state", Cookie=cookie).status == 401


def test_the_login_page_says_that_the_token_is_wrong(serving):
    server = serving(token=TOKEN)
    assert b'role="alert"' not in request(server, "GET", "/login").content
    answer = request(server, "POST", "/login", "token=<script>alert(1)</script>")
    assert answer.status == 401
    assert b"This token is wrong." in answer.content
    assert b"<script>" not in answer.content


MALFORMED = {
    "a form that is too large": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4097\r\n\r\n"
    + b"x" * 4097,
    "an origin that is no URL": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://[\r\n\r\n",
    "an origin with a bad port": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://a:b\r\n\r\n",
    "a host that is none": b"GET / HTTP/1.1\r\nHost: [\r\n\r\n",
    "a host with a bad port": b"GET / HTTP/1.1\r\nHost: localhost:99999\r\n\r\n",
    "an endless number": b"GET /events/" + b"9" * 5000 + b".jpg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a length and an encoding": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "too many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: localhost/evil.example\r\n\r\n",
    "a host with a user": b"GET / HTTP/1.1\r\nHost: evil.example@localhost\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "headers that are too large": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20_000,
    "two lengths": b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "a method that is not allowed": b"DELETE /login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a bad chunk": b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_malformed_request_is_a_client_error_with_the_security_headers(serving, name, token, capfd):
    answer = raw(serving(token=token), MALFORMED[name])
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert 400 <= int(head.split(b" ", 2)[1]) < 500 or (token and b" 303 " in head)
    assert b"content-security-policy: default-src 'none'" in head
    assert b"x-content-type-options: nosniff" in head
    assert capfd.readouterr().err == ""


def test_an_unexpected_error_has_the_security_headers_and_is_logged_once(serving, monkeypatch, capfd):
    server = serving()

    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr(server.hub, "state", fail)
    monkeypatch.setattr(logs._FILTER, "_seldom", logs.Seldom())
    for _ in range(20):
        answer = request(server, "GET", "/state")
    assert (answer.status, answer.headers["X-Content-Type-Options"]) == (500, "nosniff")
    assert capfd.readouterr().err.count("Traceback") <= 2  # of one error


def test_repeated_log_records_are_counted():
    now = [0.0]
    seldom = logs.Seldom(clock=lambda: now[0])
    assert [seldom.unwritten("a") for _ in range(4)] == [0, None, None, None]
    assert seldom.unwritten("b") == 0
    now[0] = 60.0
    assert seldom.unwritten("a") == 3


PUBLIC = "https://cam.example.org"


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("cam.example.org", None, 200),
        ("cam.example.org", PUBLIC, 200),
        ("127.0.0.1:8080", PUBLIC, 200),  # a proxy that does not pass the Host header
        ("localhost", None, 200),
        ("cam.example.org", "https://evil.example", 403),
        ("evil.example", None, 403),
        ("cam.example.org", "http://evil.example", 403),
        ("cam.example.org", "null", 403),
    ],
)
def test_behind_a_proxy_only_the_public_address_is_allowed(serving, host, origin, status):
    server = serving(token=TOKEN, public_url=parse_public_url(PUBLIC))
    headers = {"Host": host, "Authorization": f"Bearer {TOKEN}"} | ({"Origin": origin} if origin else {})
    assert request(server, "GET", "/state", **headers).status == status


@pytest.mark.parametrize(
    ("site", "mode", "method", "status"),
    [
        ("same-origin", "cors", "GET", 200),
        ("none", "navigate", "GET", 200),
        ("cross-site", "navigate", "GET", 200),  # a link on another page
        ("cross-site", "no-cors", "GET", 403),
        ("same-site", "cors", "GET", 403),  # another port of this host
        ("cross-site", "navigate", "POST", 403),  # a form on another page
    ],
)
def test_other_pages_can_only_link_to_the_page(serving, site, mode, method, status):
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
    path = "/classify" if method == "POST" else "/"
    assert request(serving(), method, path, **headers).status == status


def test_the_cookie_is_secure_only_if_the_public_address_is_https(serving):
    assert "Secure" in log_in(serving(token=TOKEN, public_url=parse_public_url(PUBLIC)), Host="cam.example.org")
    plain = serving(token=TOKEN, public_url=parse_public_url("http://cam.local:81"))
    assert "Secure" not in log_in(plain, Host="cam.local:81")
    assert "Secure" not in log_in(serving(token=TOKEN))
    assert "Secure" in log_in(serving(token=TOKEN), X_Forwarded_Proto="https")


def test_the_address_behind_a_proxy_is_the_client_s(serving, monkeypatch, capfd):
    monkeypatch.setattr(logs, "_REFUSED", logs.Seldom())
    server = serving(token=TOKEN, public_url=parse_public_url(PUBLIC))
    request(server, "POST", "/login", "token=wrong", Host="cam.example.org", X_Forwarded_For="192.0.2.1")
    assert "a wrong token was refused, from 192.0.2.1" in capfd.readouterr().err


def test_a_public_address_needs_a_token_and_must_be_an_address():
    with pytest.raises(AccessError, match="--public-url is open to the network, so a token must be set"):
        check_token("127.0.0.1", None, PUBLIC)
    assert parse_public_url("https://Cam.Example.org/") == (PUBLIC, "cam.example.org", True)
    for text in ("cam.example.org", "ftp://x", "https://", "https://a/b", "https://u:p@h", "https://[", "https://h?x"):
        with pytest.raises(AccessError, match="--public-url must be https://HOST") as raised:
            parse_public_url(text)
        assert "u:p" not in str(raised.value)
