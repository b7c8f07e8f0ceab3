"""The cosines between the terms' gradients over training, and the gradients' norms."""

from __future__ import annotations

from collections.abc import Sequence

from uniapl_cli.errors import DataError
from uniapl_cli.figures.chart import Chart, Panel, Series
from uniapl_cli.figures.runs import Run, said, seeds, series

# The least cosine that the axis reaches.
LEAST = 0.1
# More pairs of one run have a panel each: so many lines are told apart.
MOST = 5
COSINE, NORM = "gradients/cosine/", "gradients/"


def cosines(runs: Sequence[Run], *, over_seeds: bool = False, width: int | None = None) -> Chart:
    """Return the cosines and the norms that `run.gradients_every` logs.

    Of one run a few pairs stand in one panel; else each pair has its own. Raises DataError.
    """
    for run in runs:
        if not any(name.startswith(COSINE) for name in run.metrics):
            raise DataError(
                f"the run '{run.name}' has no gradients of single terms",
                "Train it with run.gradients_every=10 or another number, and two terms or more",
                key="run.gradients_every",
                got=run.name,
            )
    known = list({name: None for run in runs for name in run.metrics if run.curve(name)})
    pairs = [name for name in known if name.startswith(COSINE)]
    norms = [name for name in known if name.startswith(NORM) and name not in pairs]

    def found(name: str, called: str = "") -> list[Series]:
        return series(runs, name, over_seeds=over_seeds, width=width, name=called)

    models = {name for pair in pairs for name, _ in seeds(runs, pair)}
    alone = len(models if over_seeds else runs) == 1
    note = "Each gradient has its term's weight. " + said(width, over_seeds)
    if alone:
        named = [*(found(pair, _short(pair))[0] for pair in pairs)]
        sizes = [*(found(norm, _short(norm))[0] for norm in norms)]
        together = [_cosine("Cosine", named, named)]
        if len(named) > MOST:
            together = [_cosine(one.name, [one], named) for one in named]
        panels = (*together, _norm("Norm", sizes))
        title = f"Gradients of the terms: {next(iter(models)) if over_seeds else runs[0].name}"
        return Chart("cosines", title, panels, note, one_legend=False)
    of_pairs = {pair: found(pair) for pair in pairs}
    every = [one for mine in of_pairs.values() for one in mine]
    each = [_cosine(_short(pair), mine, every) for pair, mine in of_pairs.items()]
    each += [_norm(f"norm of {_short(norm)}", found(norm)) for norm in norms]
    return Chart("cosines", "Gradients of the terms: cosines and norms", tuple(each), note)


def _short(metric: str) -> str:
    """Return A ~ B, or the term."""
    return metric.removeprefix(COSINE).removeprefix(NORM).replace("~", " ~ ")


def _cosine(title: str, found: Sequence[Series], every: Sequence[Series]) -> Panel:
    """Return a panel around 0, in which the cosines of all panels have room."""
    shown = [abs(y) for one in every for y in (*one.y, *one.raw, *one.low, *one.high) if y]
    most = min(max(LEAST, 1.1 * max(shown, default=0.0)), 1.05)
    return Panel(title, tuple(found), "step", "cosine", zero="y", y_range=(-most, most))


def _norm(title: str, found: Sequence[Series]) -> Panel:
    return Panel(title, tuple(found), "step", "norm, log scale", y_scale="log")
