"""A number of each response, kept in a file as they come, so that a restart goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.appending import AppendOnlyRows
from uniapl_cli.errors import DataError
from uniapl_cli.files import Row
from uniapl_cli.runs.console import bar

KEY = "analyse.out"
OTHERWISE = f"Delete the file, or set another {KEY}"


@dataclass(frozen=True, slots=True)
class Place:
    """The sample-th response to a prompt, and a digest of all that its number is computed from."""

    id: str
    sample: int
    digest: str


class NumberFile:
    """Numbers called `name`. `provenance`: what decides them; a file of others is refused."""

    def __init__(self, path: Path, name: str, provenance: Mapping[str, Any]) -> None:
        self.path, self.name = path, name
        self.rows = AppendOnlyRows(path, provenance, KEY)

    def numbers(
        self,
        places: Sequence[Place],
        batches: Iterable[Sequence[int]],
        compute: Callable[[Sequence[int]], Sequence[float]],
        title: str,
    ) -> list[float]:
        """Return the numbers of the places; `compute` is asked for batches that lack some.

        A batch, of indices of places, is computed whole, so that a restart gets the same bits.
        Raises DataError where the file holds the number of another response.
        """
        with self.rows as file:
            known = self._known(places)
            with bar(title, len(places), len(known)) as progress:
                for batch in batches:
                    missing = [index for index in batch if index not in known]
                    if not missing:
                        continue
                    found = dict(zip(batch, compute(batch), strict=True))
                    known |= {index: found[index] for index in missing}
                    file.append([self._row(places[index], found[index]) for index in missing])
                    progress.advance(len(missing))
        return [known[index] for index in range(len(places))]

    def _row(self, place: Place, number: float) -> dict[str, Any]:
        about = {"id": place.id, "sample": place.sample, "response": place.digest}
        return {**about, self.name: number}

    def _known(self, places: Sequence[Place]) -> dict[int, float]:
        index = {(place.id, place.sample): number for number, place in enumerate(places)}
        known: dict[int, float] = {}
        for row in self.rows.rows():
            id, sample = row.values.get("id"), row.values.get("sample")
            if not isinstance(id, str) or not isinstance(sample, int):
                raise self._error(row, f"no row of a {self.name} that uniapl wrote", id)
            if (at := index.get((id, sample))) is not None:
                known[at] = self._read(row, places[at])
        return known

    def _read(self, row: Row, place: Place) -> float:
        if row.values.get("response") != place.digest:
            problem = f"the response to '{place.id}' has changed since its {self.name} was computed"
            raise self._error(row, problem, place.id)
        number = row.values.get(self.name)
        if not isinstance(number, float) or not math.isfinite(number):
            raise self._error(row, f"'{self.name}' is no number", number)
        return number

    def _error(self, row: Row, problem: str, got: Any) -> DataError:
        return DataError(problem, OTHERWISE, where=row.origin, got=got)
