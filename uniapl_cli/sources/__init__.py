"""Where a step's batches come from."""

from uniapl_cli.sources import comparisons, demonstrations, holding, preferences, sampled
from uniapl_cli.sources.source import (
    Parts,
    Source,
    SourceBatch,
    SourceOptions,
    StepContext,
    sources,
)

__all__ = [
    "Parts",
    "Source",
    "SourceBatch",
    "SourceOptions",
    "StepContext",
    "comparisons",
    "demonstrations",
    "holding",
    "preferences",
    "sampled",
    "sources",
]
