"""Training curves of any runs: a panel a metric."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch

from uniapl_cli.errors import DataError, unknown
from uniapl_cli.figures.chart import Chart, Panel
from uniapl_cli.figures.runs import Run, said, series

# What is shown by default where it exists, in this order.
SHOWN = (
    "loss",
    "*/verifier/mean",
    "*/anchor/mean",
    "*/*/mean",
    "preference/accuracy",
    "ranking/accuracy",
    "*/completions/mean_length",
    "*/kl",
    "*/entropy",
    "grad_norm",
    "validation/*/prompt_strict",
    "validation/*/accuracy",
    "validation/*/overall",
    "validation/*/loss",
    "validation/prompts/length",
)
# Demonstrations are what they were before.
CONSTANT = "demonstrations/*"
UNITS = {
    "validation/preferences/accuracy": "share of pairs",
    "validation/*/accuracy": "share of rows",
    "validation/*/prompt_*": "share of prompts",
    "validation/*/inst_*": "share of instructions",
    "validation/*/loss": "nats a token",
    "validation/*/length": "tokens",
    "*/mean_length*": "tokens",
    "*/max_length": "tokens",
    "*/kl": "nats a token",
    "*/k1": "nats a token",
    "*/entropy": "nats a token",
    "*/sampler_gap": "nats a token",
    "*/sampler_gap_max": "nats a token",
    "*/effective_sample_size": "share",
    "*/capped_ratio": "share of weights",
    "*/clip_ratio": "share of tokens",
    "*/clipped_ratio": "share of responses",
    "*/frac_reward_zero_std": "share of prompts",
    "*/accuracy": "share of pairs",
    "*/mean": "reward",
    "seconds/*": "seconds",
    "tokens_per_second": "tokens a second",
    "memory_gib": "GiB",
}


def curves(
    runs: Sequence[Run],
    show: Sequence[str] = (),
    *,
    over_seeds: bool = False,
    width: int | None = None,
) -> Chart:
    """Return the runs' metrics over steps. show: their names; by default the main ones.

    width: how many logged steps a point is averaged over; 1 for none. Raises DataError.
    """
    known = list({name: None for run in runs for name in run.metrics if _is_curve(runs, name)})
    for name in show:
        if name not in known:
            raise unknown("metric", name, known, DataError)
    chosen = list(dict.fromkeys(show)) or default(known)
    if not known:
        raise DataError("no metric of these runs is a finite number at any step")
    if not chosen:
        raise DataError("nothing to show by default", f"Choose with --show: {', '.join(known)}")
    panels = tuple(
        Panel(
            name, tuple(series(runs, name, over_seeds=over_seeds, width=width)), "step", unit(name)
        )
        for name in chosen
    )
    names = list({one.name: None for panel in panels for one in panel.series})
    title = f"Training: {', '.join(names)}" if len(names) < 4 else f"Training of {len(names)} runs"
    return Chart("curves", title, panels, said(width, over_seeds))


def default(known: Sequence[str]) -> list[str]:
    """Return the metrics that are shown when none is asked for."""
    found = {
        name: None
        for pattern in SHOWN
        for name in known
        if fnmatch(name, pattern) and not fnmatch(name, CONSTANT)
    }
    return list(found)


def unit(metric: str) -> str:
    """Return what a metric is counted in; "" where it has no unit."""
    return next((unit for pattern, unit in UNITS.items() if fnmatch(metric, pattern)), "")


def _is_curve(runs: Sequence[Run], name: str) -> bool:
    return any(run.curve(name) for run in runs)
