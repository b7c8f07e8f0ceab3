"""Where data and models come from: pinned by revision and checksum, with their licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# What is fetched, and nothing else: data, weights and descriptions; no code. Of .bin, which POLAR's
# weights are, nothing but tensors is read.
SUFFIXES = (
    *(".jsonl", ".json", ".csv", ".tsv", ".parquet", ".jsonl.gz", ".csv.gz"),
    *(".safetensors", ".bin", ".txt", ".jinja", ".model"),
)


@dataclass(frozen=True, slots=True)
class Upstream:
    """A repository at one commit, and the files of it that are needed.

    host: "dataset" and "model" are the hub's; "github" is a repository there. revision: the full
    commit; None where no source names one: the first fetch finds and records it, and later ones
    hold to that. files: name here -> path in the repository; of the hub, a path with a * stands for
    all that match, under their own names, and with a | for the first alternative that matches.
    archive: the .zip in the repository whose members the paths are, "" where they are files of it.
    sha256: of the files whose content is known, by name here, or of the archive; under "*" that of
    all files together, which is of the lines that sha256sum prints of them in the order of names.
    bytes: of all that is downloaded, None where that is not known. gated: whether the hub asks for
    a login that has accepted its terms. folder: where they lie in the folder of benchmarks, "" for
    that of the benchmark's name; benchmarks that share their files name the same.
    """

    host: Literal["dataset", "model", "github"]
    repo: str
    revision: str | None
    files: Mapping[str, str]
    licence: str
    sha256: Mapping[str, str] = field(default_factory=dict)
    bytes: int | None = None
    gated: bool = False
    folder: str = ""
    archive: str = ""

    @property
    def commercial(self) -> bool:
        """Whether the licence allows commercial use."""
        return "-NC" not in self.licence.upper()

    @property
    def url(self) -> str:
        """The repository's page."""
        sites = {"dataset": "huggingface.co/datasets", "model": "huggingface.co"}
        return f"https://{sites.get(self.host, 'github.com')}/{self.repo}"
