from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from edge_runtime.storage import digest
from edge_runtime.storage.digest import LARGE, sha256_of, sha256_of_bytes

SIZES = (0, 1, 3_000_000, LARGE - 1, LARGE, LARGE + 1)


def content(size):
    return bytes(range(256)) * (size // 256) + b"x" * (size % 256)


@pytest.mark.parametrize("size", SIZES)
def test_a_digest_is_sha256_in_hexadecimal(size, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content(size))
    assert sha256_of(path) == sha256_of_bytes(content(size)) == hashlib.sha256(content(size)).hexdigest()


def test_a_python_that_lacks_the_lean_module_gives_the_same_digest(monkeypatch):
    monkeypatch.setattr(digest, "LEAN", "no_such_module")
    assert sha256_of_bytes(b"x") == hashlib.sha256(b"x").hexdigest()


def test_checking_a_small_bundle_does_not_load_openssl(bundle):
    program = (
        "import sys\n"
        "from edge_runtime.model.bundle import Bundle\n"
        "Bundle.open(sys.argv[1]).check_files()\n"
        "sys.exit('_hashlib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(bundle)], check=True)
