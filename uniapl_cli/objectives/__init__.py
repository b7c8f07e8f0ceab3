"""Pure losses: log-probabilities (B, T) to losses (B, T); advantages, corrections, reductions."""

from uniapl_cli.objectives import (
    direct,
    distil,
    divergence,
    entropy,
    experts,
    imitation,
    kl,
    preference,
    ranking,
    ratios,
)
from uniapl_cli.objectives.advantages import advantages
from uniapl_cli.objectives.corrections import corrections
from uniapl_cli.objectives.objective import Objective, batch_type, objectives
from uniapl_cli.objectives.reductions import reductions

__all__ = [
    "Objective",
    "advantages",
    "batch_type",
    "corrections",
    "direct",
    "distil",
    "divergence",
    "entropy",
    "experts",
    "imitation",
    "kl",
    "objectives",
    "preference",
    "ranking",
    "ratios",
    "reductions",
]
