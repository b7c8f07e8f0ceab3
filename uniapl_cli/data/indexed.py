"""Sequences whose items are made when they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class Indexed(Sequence[T], Generic[T]):
    """Items by index, each made anew by `read`."""

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        """Return an item, or several."""
        if isinstance(index, slice):
            return [self.read(i) for i in range(*index.indices(len(self)))]
        return self.read(range(len(self))[index])

    def read(self, index: int) -> T:
        """Return the item at an index from 0 to len - 1."""
        raise NotImplementedError
