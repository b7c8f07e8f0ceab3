"""Tables that `datasets` reads: Parquet and Arrow files, saved folders, data sets of the hub."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from uniapl_cli.data.rows import Rows
from uniapl_cli.errors import DataError, unknown
from uniapl_cli.files import Row

log = logging.getLogger("uniapl")

# Columns whose mappings have a field, often null, for every key that any row of the table has.
STRUCTS = ("messages", "conversations", "prompt", "completion", "chosen", "rejected", "tools")


class Table(Rows):
    """A `datasets.Dataset`, memory-mapped."""

    def __init__(self, name: str, dataset: Any) -> None:
        self.name, self.dataset = name, dataset

    def read(self, index: int) -> Row:
        """Return one row as plain values."""
        origin = f"{self.name}:[{index}]"
        try:
            values = dict(self.dataset[index])
        except Exception as error:
            # Decoding a column of images or of audio takes packages that may not be there.
            raise DataError(f"the row cannot be read: {_reason(error)}", where=origin) from error
        for name in STRUCTS:
            if isinstance(values.get(name), list):
                values[name] = _without_nulls(values[name])
        return Row(origin, values)

    def __len__(self) -> int:
        return len(self.dataset)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def open_parquet(path: Path) -> Rows:
    """Open a Parquet file. Raises DataError."""
    from pyarrow.parquet import ParquetFile

    def load(datasets: Any) -> Any:
        with ParquetFile(path) as file:
            if not file.metadata.num_rows:  # `datasets` builds none of these
                return []
        return datasets.Dataset.from_parquet(str(path))

    return Table(str(path), _loaded(str(path), load))


def open_arrow(path: Path) -> Rows:
    """Open an Arrow file, as `datasets` writes it. Raises DataError."""
    return Table(
        str(path), _loaded(str(path), lambda datasets: datasets.Dataset.from_file(str(path)))
    )


def open_saved(path: Path, split: str | None, key: str) -> Rows:
    """Open a folder that `datasets` saved. Raises DataError."""
    loaded = _loaded(str(path), lambda datasets: datasets.load_from_disk(str(path)))
    return Table(str(path), _pick(str(path), loaded, split, key))


def open_hub(name: str, split: str | None, key: str) -> Rows:
    """Open a data set of the hub: OWNER/NAME, or OWNER/NAME/CONFIG. Raises DataError."""
    repository, config = name, None
    if name.count("/") == 2:
        repository, _, config = name.rpartition("/")
    loaded = _loaded(
        name,
        lambda datasets: datasets.load_dataset(repository, config),
        "is no file, and from the hub it cannot be read",
    )
    return Table(name, _pick(name, loaded, split, key))


def _loaded(name: str, load: Callable[[Any], Any], problem: str = "cannot be read") -> Any:
    """Return what `load(datasets)` does. Raises DataError for whatever goes wrong."""
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # the error has what it would log
    try:
        return load(datasets)
    except DataError:
        raise
    except Exception as error:
        # It raises errors of many kinds; the reason is often in the error's cause.
        if (cache := _unwritable_cache(error)) is not None:
            raise DataError(
                f"'{name}' cannot be read: the cache of `datasets` cannot be written: {cache}",
                "Set HF_HOME to a folder that can",
                got=name,
            ) from error
        raise DataError(f"'{name}' {problem}: {_reason(error)}", got=name) from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _reason(error: BaseException) -> str:
    *_, first = _chain(error)
    lines = str(first).strip().splitlines()
    return lines[0] if lines else type(first).__name__


def _unwritable_cache(error: BaseException) -> str | None:
    """Return what is wrong with the cache, if an error is about that."""
    import datasets

    cache = Path(datasets.config.HF_CACHE_HOME)
    for cause in _chain(error):
        if isinstance(cause, OSError) and isinstance(cause.filename, str):
            path = Path(cause.filename)
            if cache.is_relative_to(path) or path.is_relative_to(cache):
                return f"{cause.strerror}: '{path}'"
    return None


def _pick(name: str, loaded: Any, split: str | None, key: str) -> Any:
    """Return the one split of a data set, the named one, or `train`."""
    if not isinstance(loaded, Mapping):
        refuse_split(name, split, key)
        return loaded
    return loaded[pick_split(name, loaded, split, key)]


def pick_split(name: str, splits: Mapping[str, Any], split: str | None, key: str) -> str:
    """Return the named split, the only one, or `train`. Raises DataError."""
    if split is None and len(splits) == 1:
        return next(iter(splits))
    chosen = split or "train"
    if chosen not in splits:
        error = unknown("split", chosen, splits, DataError).at(None, key)
        error.problem = f"{error.problem} of '{name}'"
        raise error
    if split is None:
        _log_default(name, tuple(splits), key)
    return chosen


@cache
def _log_default(name: str, splits: tuple[str, ...], key: str) -> None:
    log.info("'%s' has the splits %s; train is read, see %s", name, ", ".join(splits), key)


def refuse_split(name: str, split: str | None, key: str) -> None:
    """Raise DataError if a split is asked of what has none."""
    if split is not None:
        advice = "Leave the key out; data.splits says it for each file"
        raise DataError(f"'{name}' has no splits, got '{split}'", advice, key=key, got=split)
