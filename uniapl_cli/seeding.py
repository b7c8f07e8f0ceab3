"""Seeds derived from one seed and a name, so that no draw depends on the draws before it.

A resumed run, a larger batch or another order of rows sees the same random numbers, because each
consumer derives its own seed from what it is, not from when it was asked.
"""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: object) -> int:
    """Return a 63-bit seed that depends on `seed` and on every name, and on nothing else."""
    text = "\x1f".join(str(part) for part in (seed, *names))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
