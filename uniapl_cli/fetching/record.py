"""fetched.json: what lies in a folder, where it came from, and under which licence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uniapl_cli.errors import DataError
from uniapl_cli.files import parse_json, replacing
from uniapl_cli.upstream import Upstream

NAME = "fetched.json"


class Records:
    """The records of a folder, by the names of what was fetched into it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._all = self._read()

    def revision(self, name: str, upstream: Upstream) -> str | None:
        """Return the commit to hold to: the pinned one, else that of an earlier fetch."""
        held = self._all.get(name, {})
        known = held.get("commit") if held.get("repository") == upstream.url else None
        return upstream.revision or known

    def sums(self, name: str, commit: str | None) -> Mapping[str, str]:
        """Return the sha256 of the files that were fetched at a commit, by name."""
        held = self._all.get(name, {})
        return held.get("files", {}) if commit and held.get("commit") == commit else {}

    def complete(self, name: str, commit: str | None) -> bool:
        """Whether all files at a commit were fetched."""
        return bool(self.sums(name, commit)) and self._all[name].get("complete") is True

    def write(
        self,
        name: str,
        upstream: Upstream,
        commit: str,
        files: Mapping[str, str],
        *,
        complete: bool = False,
    ) -> None:
        """Record what there is, before and after the files of a repository are fetched."""
        self._all[name] = {
            "repository": upstream.url,
            "commit": commit,
            "pinned": upstream.revision is not None,
            "licence": upstream.licence,
            "non_commercial": not upstream.commercial,
            "date": datetime.now(UTC).date().isoformat(),
            "complete": complete,
            "files": dict(files),
        }
        with replacing(self.path, wait=True) as file:
            # Another process may have fetched into the folder since this one began.
            self._all = {**self._read(), name: self._all[name]}
            file.write(json.dumps(self._all, indent=1, ensure_ascii=False) + "\n")

    def _read(self) -> dict[str, Any]:
        try:
            records = parse_json(self.path.read_text(encoding="utf-8"))
            if not isinstance(records, dict):
                raise ValueError("a JSON object is needed")
            if not all(isinstance(record, dict) for record in records.values()):
                raise ValueError("each record is a JSON object")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            problem = f"'{self.path}' cannot be read: {error}"
            raise DataError(problem, "Move it away: the files are checked anew then") from None
        return records
