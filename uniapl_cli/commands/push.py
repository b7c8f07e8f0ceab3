"""uniapl push: the final model of a run, with its card, to the hub."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uniapl_cli.commands.best import read_best
from uniapl_cli.errors import DataError, ModelError, RunError
from uniapl_cli.reasons import brief
from uniapl_cli.runs.directory import RunDirectory

NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Upload:
    """What is sent where. files: sizes in bytes by name."""

    folder: Path
    repo: str
    private: bool
    files: Mapping[str, int]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(self.files.values())

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        shown = {"folder": str(self.folder), "repo": self.repo, "private": self.private}
        return {**shown, "bytes": self.size, "files": dict(self.files)}


def prepare(path: Path, repo: str, *, private: bool = True) -> Upload:
    """Return what would be sent of a run directory, of its final/ or its best/.

    Raises RunError for a run that has not finished, but where its best model is asked for, and for
    a model that is not whole; DataError for the name.
    """
    run = RunDirectory(path.parent if path.name == "final" else path)
    folder = run.final
    if read_best(path) is not None:
        folder = path
    elif not run.finished:
        why = run.damage or "it has not finished, or is no run directory"
        raise RunError(f"'{path}' has no model to send: {why}", got=str(path))
    if not NAME.fullmatch(repo):
        problem = f"'{repo}' is no name of a repository"
        raise DataError(problem, "Write OWNER/NAME", got=repo)
    found = sorted(file for file in folder.rglob("*") if file.is_file())
    files = {str(file.relative_to(folder)): file.stat().st_size for file in found}
    return Upload(folder, repo, private, files)


def push(upload: Upload, api: Any = None) -> str:
    """Send it in one commit, into a new repository or an old one, and return its address.

    `api`: huggingface_hub's. Raises ModelError where the hub refuses or cannot be reached.
    """
    import httpx2
    from huggingface_hub import HfApi

    api = HfApi() if api is None else api
    try:
        api.create_repo(upload.repo, private=upload.private, exist_ok=True)
        sent = api.upload_folder(
            repo_id=upload.repo,
            folder_path=upload.folder,
            commit_message="Model trained with uniapl",
        )
    except (OSError, ValueError, httpx2.HTTPError) as error:  # the hub's own are of these
        raise ModelError(
            f"cannot send it to '{upload.repo}': {brief(error)}",
            "Log in with `hf auth login`, or set HF_TOKEN to a token that may write there",
            got=upload.repo,
        ) from None
    return str(sent.commit_url)
