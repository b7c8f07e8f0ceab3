"""Where data and models come from: pinned by revision and checksum, with their licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Upstream:
    """A repository at one commit, and the files of it that are needed.

    host: "dataset" and "model" are the hub's; "github" is a repository there. files: name here ->
    path in the repository. sha256: of the files whose content is known, by name here. bytes: of all
    files together, None where that is not known. gated: whether the hub asks for a login that has
    accepted its terms.
    """

    host: Literal["dataset", "model", "github"]
    repo: str
    revision: str | None
    files: Mapping[str, str]
    licence: str
    sha256: Mapping[str, str] = field(default_factory=dict)
    bytes: int | None = None
    gated: bool = False

    @property
    def commercial(self) -> bool:
        """Whether the licence allows commercial use."""
        return "-NC" not in self.licence.upper()
