"""A data set of the hub as a folder of its files, by name."""

from __future__ import annotations

import re
from pathlib import Path

from uniapl_cli.errors import DataError
from uniapl_cli.reasons import explained
from uniapl_cli.upstream import SUFFIXES

NAME = re.compile(r"\w[\w.-]*/[\w.-]+")


def is_hub_name(name: str) -> bool:
    """Whether a name is no file's or folder's here, and could be OWNER/NAME on the hub."""
    path = Path(name)
    here = path.exists() or path.parent.exists()
    return not here and not name.endswith(SUFFIXES) and NAME.fullmatch(name) is not None


def dataset_folder(name: str) -> Path:
    """Return the folder of a data set's newest files in the hub's cache. Raises DataError."""
    from huggingface_hub import snapshot_download

    data = [f"*{suffix}" for suffix in SUFFIXES]
    problem = f"'{name}' is no file, and from the hub it cannot be fetched"
    with explained(problem, error=DataError, got=name):
        return Path(snapshot_download(name, repo_type="dataset", allow_patterns=data))
