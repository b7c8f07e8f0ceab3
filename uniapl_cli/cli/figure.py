"""uniapl figure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uniapl_cli.cli.options import AsJson, Debug
from uniapl_cli.cli.session import print_result, session
from uniapl_cli.errors import ConfigError

if TYPE_CHECKING:
    from uniapl_cli.figures.chart import Chart

app = typer.Typer(
    help="Draw runs, analyses and evaluations: STEM.png and STEM.svg.", no_args_is_help=True
)

Runs = Annotated[
    list[str], typer.Argument(metavar="RUN", help="Folders that train wrote; NAME=RUN.")
]
Analysis = Annotated[
    Path, typer.Argument(metavar="FILE", help="What analyse wrote, or its folder.")
]
Out = Annotated[
    Path | None, typer.Option(metavar="STEM", help="Where to write; work/figures/KIND by default.")
]
Title = Annotated[str | None, typer.Option(metavar="TEXT", help="What stands above the figure.")]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--show", metavar="METRIC", help="A panel; may be given several times."),
]
Measures = Annotated[
    list[str] | None,
    typer.Option("--show", metavar="DRAWS/METRIC", help="A panel; may be given several times."),
]
OverSeeds = Annotated[
    bool,
    typer.Option(
        "--over-seeds",
        help="One line for NAME-0, NAME-1 ...: means with 95% bands (Student's t).",
    ),
]
Smooth = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Logged steps that a point is a mean of, 5% by default; 1: none."
    ),
]


@contextmanager
def _drawing(kind: str, out: Path | None, title: str | None, json: bool) -> Iterator[list[Chart]]:
    """Write the chart that the block appends, and print the paths; refuse the output before."""
    from dataclasses import replace

    from uniapl_cli.figures.save import paths, save

    stem = out or Path("work/figures") / kind
    paths(stem)
    charts: list[Chart] = []
    yield charts
    chart = replace(charts[0], title=title) if title else charts[0]
    files = [str(path) for path in save(chart, stem)]

    def human(_: Any) -> Any:
        from rich.text import Text

        return Text("\n".join(files))

    print_result({"files": files, **chart.plain()}, json, human)


@app.command()
def curves(
    runs: Runs,
    show: Metrics = None,
    over_seeds: OverSeeds = False,
    smooth: Smooth = None,
    out: Out = None,
    title: Title = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Draw the metrics of runs over training, a panel a metric.

    Example: uniapl figure curves work/tiny/grpo work/tiny/unified --show rollouts/verifier/mean
    """
    with session(debug), _drawing("curves", out, title, json) as drawn:
        from uniapl_cli.figures.curves import curves as of
        from uniapl_cli.figures.runs import read_runs

        drawn.append(of(read_runs(runs), show or (), over_seeds=over_seeds, width=smooth))


@app.command()
def cosines(
    runs: Runs,
    over_seeds: OverSeeds = False,
    smooth: Smooth = None,
    out: Out = None,
    title: Title = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Draw the cosines between the terms' gradients over training, and the gradients' norms.

    The runs were trained with run.gradients_every=10, say.

    Example: uniapl figure cosines work/tiny/unified
    """
    with session(debug), _drawing("cosines", out, title, json) as drawn:
        from uniapl_cli.figures.cosines import cosines as of
        from uniapl_cli.figures.runs import read_runs

        drawn.append(of(read_runs(runs), over_seeds=over_seeds, width=smooth))


@app.command()
def lengths(
    file: Analysis,
    out: Out = None,
    title: Title = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Draw the lengths of responses beside the teacher's, as in the paper's Figure 3.

    Example: uniapl figure lengths work/analysis
    """
    with session(debug), _drawing("lengths", out, title, json) as drawn:
        from uniapl_cli.figures.analyses import read_analysis
        from uniapl_cli.figures.distributions import lengths as of

        drawn.append(of(read_analysis(file, "lengths")))


@app.command()
def logprobs(
    file: Analysis,
    per_token: Annotated[
        bool, typer.Option("--per-token", help="Divide by the responses' lengths.")
    ] = False,
    out: Out = None,
    title: Title = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Draw log-probabilities under students less the teacher's, as in the paper's Figure 4.

    Example: uniapl figure logprobs work/analysis
    """
    with session(debug), _drawing("logprobs", out, title, json) as drawn:
        from uniapl_cli.figures.analyses import read_analysis
        from uniapl_cli.figures.distributions import logprobs as of

        drawn.append(of(read_analysis(file, "logprobs"), per_token=per_token))


@app.command()
def sweep(
    results: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SERIES:X=RESULTS",
            help="What eval wrote with X, a number; several of one SERIES and X are seeds.",
            show_default=False,
        ),
    ] = None,
    show: Measures = None,
    published: Annotated[
        int | None, typer.Option(metavar="5|6", help="The paper's Figure 5 or 6 too.")
    ] = None,
    axis: Annotated[str, typer.Option(metavar="TEXT", help="What X is.")] = "",
    out: Out = None,
    title: Title = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Draw measures over amounts of one setting on a log axis, as in the paper's Figures 5 and 6.

    Example: uniapl figure sweep teacher:0.1=work/a/eval teacher:1=work/b/eval --published 5
    """
    with session(debug):
        _choose(published, 5, 6)
        with _drawing("sweep", out, title, json) as drawn:
            from uniapl_cli.figures.sweep import AXIS, read_sweep
            from uniapl_cli.figures.sweep import sweep as of

            groups = read_sweep(results or [])
            drawn.append(of(groups, show or (), axis=axis or AXIS, published=published))


@app.command()
def bars(
    results: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=RESULTS",
            help="What eval wrote; several of one NAME are seeds.",
            show_default=False,
        ),
    ] = None,
    show: Measures = None,
    published: Annotated[
        int | None, typer.Option(metavar="2", help="The IFEval of the paper's models too.")
    ] = None,
    out: Out = None,
    title: Title = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Draw a measure of models side by side, by default IFEval, as in the paper's Figure 2.

    Example: uniapl figure bars sft=work/eval/sft unified=work/eval/unified --published 2
    """
    with session(debug):
        _choose(published, 2)
        with _drawing("bars", out, title, json) as drawn:
            from uniapl_cli.figures.bars import bars as of
            from uniapl_cli.figures.bars import read_models

            drawn.append(of(read_models(results or []), show or (), published=published == 2))


def _choose(published: int | None, *figures: int) -> None:
    """Raise ConfigError for a figure of the paper that is of another kind."""
    if published is not None and published not in figures:
        allowed = [str(figure) for figure in figures]
        problem = f"--published {published} is no figure of this kind"
        raise ConfigError(problem, f"Known: {', '.join(allowed)}", got=published, allowed=allowed)
