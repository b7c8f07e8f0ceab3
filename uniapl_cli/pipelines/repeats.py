"""Counts repeated texts by 64-bit digests, without keeping the texts."""

from __future__ import annotations

import hashlib
from array import array


def digest(text: str) -> int:
    """Return a 64-bit digest of a text."""
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


class Repeats:
    """Counts repeated 64-bit numbers: 8 bytes each, where a set would take 100."""

    def __init__(self) -> None:
        self.buckets = [array("Q") for _ in range(256)]

    def add(self, number: int) -> None:
        """Take a 64-bit number."""
        self.buckets[number >> 56].append(number)

    def count(self) -> int:
        """Return how many numbers had come before."""
        return sum(len(bucket) - len(set(bucket)) for bucket in self.buckets)
