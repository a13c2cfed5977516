"""The photographs that a bundle's model has learnt from, as the first 8 bytes of each one's SHA-256.

With them, another model can be compared with the bundle on photographs that neither has learnt from. 1,000 photographs
are 8 kB; the probability that any of 10,000 other photographs is taken for one of 10,000 is below 1e-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from edge_runtime.model.bundle import Bundle

    Keys = NDArray[np.uint64]

TRAINING_DIGESTS = "training-digests.bin"
MOST_DIGESTS = 50_000  # 400 kB; a bundle of more photographs has no such file
STORED = np.dtype(">u8")


def keys_of(digests: Iterable[str]) -> Keys:
    """Return the first 8 bytes of SHA-256 digests, given in hexadecimal: uint64 of shape (N,), in the given order."""
    return np.array([int(digest[:16], 16) for digest in digests], np.uint64)


def to_bytes(keys: Keys) -> bytes:
    """Return the content of the file: the distinct keys in ascending order, 8 bytes each, most significant first."""
    return np.unique(keys).astype(STORED).tobytes()


def read_training_keys(bundle: Bundle) -> Keys | None:
    """Return the keys of the photographs that a bundle's model has learnt from; None if it does not contain them.

    Raises:
        BundleError: the file is damaged.

    """
    file = bundle.files.get(TRAINING_DIGESTS)
    if file is None:
        return None
    if file.size_bytes % STORED.itemsize or file.size_bytes > MOST_DIGESTS * STORED.itemsize:
        raise BundleError(
            f"{bundle.folder / file.path}: {file.size_bytes} bytes are not up to {MOST_DIGESTS} keys of 8; "
            "export the bundle again"
        )
    return np.frombuffer(bundle.read_file(file), STORED).astype(np.uint64)
