"""The environment of a run: versions, commit, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import uniapl_cli

PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "omegaconf", "nltk", "langdetect")


def environment(command: Sequence[str], **more: Any) -> dict[str, Any]:
    """Return what is needed to repeat a run, and `more` beside it. `command`: without secrets."""
    return {
        "uniapl": uniapl_cli.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "command": list(command),
        **more,
    }


def commit() -> str | None:
    """Return the git commit of the source, `+changes` where files differ; None outside git."""
    here = Path(uniapl_cli.__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        # The package may be installed inside a checkout of something else: that is not its commit.
        git("ls-files", "--error-unmatch", "__init__.py")
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
