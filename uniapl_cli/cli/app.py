"""The application: all verbs of `uniapl`."""

from __future__ import annotations

import typer

import uniapl_cli
from uniapl_cli.cli import (
    analyse,
    compare,
    config,
    data,
    demo,
    eval,
    figure,
    filter_gt,
    listing,
    page,
    plan,
    pretrain_polar,
    push,
    report,
    score,
    serve,
    setup,
    status,
    teacher_gen,
    tiny,
    track,
    train,
)
from uniapl_cli.cli.session import fill_standard_descriptors

app = typer.Typer(
    help="Post-train language models with verifiable rewards and an expert's answers.",
    epilog="Start with: uniapl demo. Every verb takes --config FILE and key=value overrides.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(uniapl_cli.__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Post-train language models with verifiable rewards and an expert's answers."""


PIPELINE, LOOK, MAKE = "Pipeline", "Look", "Discriminator and tiny world"
for name, function, panel in (
    ("demo", demo.demo, PIPELINE),
    ("teacher-gen", teacher_gen.teacher_gen, PIPELINE),
    ("filter-gt", filter_gt.filter_gt, PIPELINE),
    ("plan", plan.plan, PIPELINE),
    ("train", train.train, PIPELINE),
    ("eval", eval.evaluate, PIPELINE),
    ("score", score.score, PIPELINE),
    ("serve", serve.serve, PIPELINE),
    ("status", status.status, LOOK),
    ("track", track.track, LOOK),
    ("push", push.push, LOOK),
    ("report", report.report, LOOK),
    ("compare", compare.compare, LOOK),
    ("page", page.page, LOOK),
    ("list", listing.listing, LOOK),
    ("pretrain-polar", pretrain_polar.pretrain_polar, MAKE),
    ("setup", setup.setup, MAKE),
):
    app.command(name, rich_help_panel=panel)(function)
app.add_typer(analyse.app, name="analyse", rich_help_panel=LOOK)
app.add_typer(figure.app, name="figure", rich_help_panel=LOOK)
app.add_typer(data.app, name="data", rich_help_panel=LOOK)
app.add_typer(config.app, name="config", rich_help_panel=LOOK)
app.add_typer(tiny.app, name="tiny", rich_help_panel=MAKE)


def main() -> None:
    """Run the command line."""
    fill_standard_descriptors()
    app(prog_name="uniapl")
