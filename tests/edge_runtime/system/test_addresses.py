"""Secrets in addresses are never shown."""

from __future__ import annotations

import pytest

from edge_runtime.system.addresses import has_secret, shown_address, shown_receiver

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://admin:s3cret@cam/s", "rtsp://admin:***@cam/s"),
        ("rtsp://admin:s3cr@s3cret@127.0.0.1:1/x", "rtsp://admin:***@127.0.0.1:1/x"),
        ("rtsp://admin:pa/s3cret@cam/s", "rtsp://admin:***@cam/s"),
        ("rtsp://admin:pa?s3cret@cam/s", "rtsp://admin:***@cam/s"),
        ("rtsp://admin:pa#s3cret@cam/s", "rtsp://admin:***@cam/s"),
        ("rtsp://admin:a:s3cret@cam/s", "rtsp://admin:***@cam/s"),
        ("rtsp://admin:a@b/s3cret@cam/s", "rtsp://admin:***@cam/s"),
        ("rtsp://me@mail.org:s3cret@cam/s", "rtsp://me@mail.org:***@cam/s"),
        ("rtsp://:s3cret@cam/s", "rtsp://:***@cam/s"),
        ("http://cam/v.cgi?user=admin&pwd=s3cret", "http://cam/v.cgi?user=admin&pwd=***"),
        ("http://cam/v.cgi?cmd=Snap&password=s3cret&width=640", "http://cam/v.cgi?cmd=Snap&password=***&width=640"),
        ("http://cam/v.cgi?loginpas=s3cret;channel=1", "http://cam/v.cgi?loginpas=***;channel=1"),
        ("http://cam/v.cgi?access_token=s3cret#x", "http://cam/v.cgi?access_token=***#x"),
        ("http://cam/v.cgi?p=a=s3cret", "http://cam/v.cgi?p=***"),
        ("http://cam/v.cgi?PASSWORD=s3cret", "http://cam/v.cgi?PASSWORD=***"),
        ("rtsp://cam/user=admin_password=s3cret", "rtsp://cam/user=admin_password=***"),
        ("http://cam:8080/video", "http://cam:8080/video"),
        ("rtsp://user@cam:554/s", "rtsp://user@cam:554/s"),
        ("rtsp://user@cam/s?channel=1&subtype=0", "rtsp://user@cam/s?channel=1&subtype=0"),
        ("/photos/a@b?x=1.jpg", "/photos/a@b?x=1.jpg"),
        ("simulated:folder?fps=30", "simulated:folder?fps=30"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address, shown):
    assert shown_address(address) == shown
    assert SECRET not in shown
    assert has_secret(address) == (address != shown)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://hooks.example.com/services/T0/s3cret", "https://hooks.example.com"),
        ("https://me:s3cret@host:8443/x", "https://host:8443"),
        ("https://me:s3/cret@host/x", "https://***"),
        ("http://[::1]:80/s3cret", "http://[::1]:80"),
        ("s3cret", "://***"),
    ],
)
def test_of_a_receiver_only_the_host_is_shown(address, shown):
    assert shown_receiver(address) == shown
