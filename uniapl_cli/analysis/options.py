"""The config's section `analyse`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from uniapl_cli.evaluation.options import usable_names
from uniapl_cli.options import MISSING, Count, FilePath, Options, key, section
from uniapl_cli.types import Sampling

# Of whose responses log-probabilities are computed: the teacher's in the rows, or the models' own.
Whose = Literal["rows", "models"]
Models = Annotated[dict[str, FilePath], AfterValidator(usable_names)]


class AnalyseOptions(Options):
    """uniapl analyse: responses of several models beside the teacher's."""

    models: Models = key(
        {}, "name: folder, run directory, hub name or tiny:NAME of a model to look at"
    )
    data: FilePath | None = key(
        None, "rows with prompts and the teacher's responses; null takes data.prompts"
    )
    limit: int | None = key(None, "only so many rows; null takes all", ge=1)
    samples: Count = key(1, "responses a prompt of each model")
    sampling: Sampling = section(Sampling, "how the models' tokens are drawn")
    responses: Whose = key(
        "rows", "whose log-probabilities: of the rows' responses, or of the models' own"
    )
    out: FilePath = key(MISSING, "folder for the results, and for what the models said")
