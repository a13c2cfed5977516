"""The keys of a repository: one Ed25519 key for each role of The Update Framework, each in a file of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner

from export.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

ROLES = ("root", "targets", "snapshot", "timestamp")
# Snapshot and timestamp are renewed by a machine, without a person who could type a passphrase.
WITH_PASSPHRASE = ("root", "targets")
OWNER_ONLY = 0o600


def key_file(keys: Path, role: str) -> Path:
    """Return the file of a role's private key."""
    return keys / f"{role}.pem"


def create_key(keys: Path, role: str, passphrase: str | None) -> CryptoSigner:
    """Create a role's key and write it to a file that only its owner can read. Raise ExportError if there is one."""
    key = Ed25519PrivateKey.generate()
    encrypted = passphrase is not None and role in WITH_PASSPHRASE
    encryption = BestAvailableEncryption((passphrase or "").encode()) if encrypted else NoEncryption()
    path = key_file(keys, role)
    try:
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
            stream.flush()
            os.fsync(stream.fileno())
    except FileExistsError:
        raise ExportError(f"{path}: exists already; choose another folder of keys") from None
    except OSError as problem:
        raise ExportError(f"{path}: cannot be written: {problem.strerror}") from None
    return CryptoSigner(key)


def read_key(keys: Path, role: str, passphrase: str | None) -> CryptoSigner:
    """Read a role's private key. Raise ExportError."""
    path = key_file(keys, role)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ExportError(f"{path}: the key of the role {role} is not there; this step needs it") from None
    except OSError as problem:
        raise ExportError(f"{path}: cannot be read: {problem.strerror}") from None
    encrypted = b"ENCRYPTED" in content
    if encrypted and passphrase is None:
        raise ExportError(f"{path}: encrypted; pass --passphrase-file")
    try:
        key = load_pem_private_key(content, (passphrase or "").encode() if encrypted else None)
    except (ValueError, TypeError):
        what = "another passphrase, or damaged" if encrypted else "not a private key"
        raise ExportError(f"{path}: {what}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ExportError(f"{path}: not an Ed25519 key")
    return CryptoSigner(key)


def retire_key(keys: Path, role: str) -> None:
    """Rename the file of a revoked key, so that a new one can take its place."""
    number = 1
    while (retired := keys / f"{role}.revoked-{number}.pem").exists():
        number += 1
    try:
        key_file(keys, role).rename(retired)
    except FileNotFoundError:  # lost keys are revoked too
        return
    except OSError as problem:
        raise ExportError(f"{key_file(keys, role)}: cannot be renamed: {problem.strerror}") from None
