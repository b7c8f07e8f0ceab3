"""Seeds derived from one seed and names, so that no random draw depends on earlier ones.

Each consumer derives its seed from what it draws for (a source, a step, a slot), not from when it
draws. So a resumed run, a larger batch or another order of rows gives the same random numbers.
"""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: object) -> int:
    """Return a 63-bit seed that depends on `seed`, on every name and on nothing else."""
    text = "\x1f".join(str(part) for part in (seed, *names))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
