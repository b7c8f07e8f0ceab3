"""uniapl plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

import uniapl_cli
from uniapl_cli.cli.options import AsJson, ConfigFile, Debug, Overrides, Plugins
from uniapl_cli.cli.session import print_result, session
from uniapl_cli.cli.train import Method

Gpu = Annotated[
    str | None,
    typer.Option(
        "--gpu",
        metavar="CARD",
        help="h100, h200, b200, a100, 4090 ..., or a memory in GiB; else this machine's device.",
    ),
]
Flops = Annotated[
    float | None,
    typer.Option("--flops", metavar="TFLOP/s", help="Dense bfloat16 rate.", min=0.001),
]
Bandwidth = Annotated[
    float | None, typer.Option("--bandwidth", metavar="GB/s", help="Of the memory.", min=0.001)
]
Ranks = Annotated[
    int, typer.Option("--ranks", metavar="N", help="Cards that train together.", min=1, max=65536)
]
Hosts = Annotated[
    int | None, typer.Option("--hosts", metavar="N", help="That they are on, 8 each.", min=1)
]
Link = Annotated[
    float | None,
    typer.Option("--link", metavar="GB/s", help="Of a card to others of its host.", min=0.001),
]
Network = Annotated[
    float, typer.Option("--network", metavar="GB/s", help="Of a card to other hosts.", min=0.001)
]
Check = Annotated[bool, typer.Option("--check", help="Exit with 1 where it does not fit.")]


def plan(
    method: Method,
    overrides: Overrides = None,
    config: ConfigFile = None,
    gpu: Gpu = None,
    flops: Flops = None,
    bandwidth: Bandwidth = None,
    ranks: Ranks = 1,
    hosts: Hosts = None,
    link: Link = None,
    network: Network = 50.0,
    check: Check = False,
    json: AsJson = False,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Say what a run would take, and what to change where it does not fit; nothing is loaded.

    Memory by part, seconds a step, hours, disk: from the experiment and the model's config.json.
    Of several cards it is what each takes, what they send each other, and how they scale.

    Example: uniapl plan grpo --config experiments/base/qwen3-0.6b.yaml --gpu h100 --ranks 8
    """
    with session(debug, plugin):
        from uniapl_cli.commands.plan import plan as of

        settings = uniapl_cli.load_config(config, overrides or (), method)
        rates = {"flops": flops, "bandwidth": bandwidth, "link": link}
        result = of(settings, gpu=gpu, ranks=ranks, hosts=hosts, network=network, **rates)
        print_result(result, json, shown)
    if check and not result["memory"]["fits"]:
        raise typer.Exit(1)


def shown(result: Mapping[str, Any]) -> Any:
    """Return a plan as it is printed."""
    from rich.console import Group
    from rich.text import Text

    from uniapl_cli.runs.console import table

    memory, disk, many = result["memory"], result["disk"], result["ranks"]
    verdict = "fits" if memory["fits"] else "DOES NOT FIT"
    head = (
        f"{result['method']}, {result['model']}, {_cards(result)}, "
        f"{result['computed in']}: {verdict}. At its peak, in {memory['phase']}, "
        f"{memory['peak_gib']:.3g} of {memory['room_gib']:.3g} GiB"
    )
    parts = [[name, f"{size:.3g}"] for name, size in memory["parts_gib"].items()]
    phases = dict.fromkeys([*memory["phases_gib"], *result["seconds"]])
    rows = [[name, *_cells(result, name)] for name in phases]
    blocks: list[Any] = [
        Text(head),
        table("", ["part, at the peak", "GiB"], parts),
        table("", ["phase", "GiB", "seconds"], rows),
        Text(_step(result["step"])),
        Text(_run(result["run"], disk)),
    ]
    if many["ranks"] > 1:
        blocks += [
            Text(_ranks(many)),
            table("", ["sent and got, a card", "calls", "GB"], _moved(many)),
        ]
        blocks += [Text(_scaling(many))] if many["scaling"] else []
    if result["validation"]:
        blocks.append(Text(_validation(result["validation"])))
    if change := result["change"]:
        shown = [[" ".join(c["set"]), f"{c['peak_gib']:.3g}", _yes(c["fits"])] for c in change]
        blocks.append(table("", ["change, by itself", "GiB", "fits"], shown))
    return Group(*blocks, *(Text(f"assumed: {line}") for line in result["assumed"]))


def _cards(result: Mapping[str, Any]) -> str:
    name, many = result["device"]["name"], result["ranks"]
    if many["ranks"] == 1:
        return str(name)
    hosts = f" on {many['hosts']} hosts" if many["hosts"] > 1 else ""
    return f"each of {many['ranks']} x {name}{hosts}"


def _ranks(many: Mapping[str, Any]) -> str:
    held = "all weights" if many["shard"] == "none" else f"1/{many['ranks']} of the weights"
    host = f", in {many['host_gib']:.3g} GiB of a host's memory" if many["offload"] else ""
    batches = f"micro-batches of a rank: {many['micro_batches']}"
    return f"parallel.shard={many['shard']}: each rank has {held}{host}; {batches}"


def _moved(many: Mapping[str, Any]) -> list[list[str]]:
    calls = many["collectives"]
    return [[name, f"{calls[name]:,}", f"{size:.3g}"] for name, size in many["gb_moved"].items()]


def _scaling(many: Mapping[str, Any]) -> str:
    found = many["scaling"]
    more = {name: spent for name, spent in found["undivided"].items() if spent > 0.01}
    parts = ", ".join(f"{name} {spent:.3g} s" for name, spent in more.items()) or "nothing"
    return (
        f"{found['seconds']:.3g} seconds a step, {found['times_as_fast']:.3g} times as fast as one "
        f"card: {found['efficiency']:.0%} of {many['ranks']}. What does not divide: {parts}"
    )


def _yes(true: bool) -> str:
    return "yes" if true else "no"


def _cells(result: Mapping[str, Any], phase: str) -> list[str]:
    size, spent = result["memory"]["phases_gib"].get(phase), result["seconds"].get(phase)
    return ["" if value is None else f"{value:.3g}" for value in (size, spent)]


def _step(step: Mapping[str, int]) -> str:
    return (
        f"a step: {step['rows']:,} rows in {step['micro_batches']} micro-batches, the largest of "
        f"{step['largest_rows']} rows and {step['largest_tokens']:,} tokens; "
        f"{step['tokens_read']:,} tokens read, {step['tokens_learnt']:,} learnt, "
        f"{step['tokens_sampled']:,} sampled"
    )


def _validation(found: Mapping[str, Any]) -> str:
    most = found["rows_of_each"]
    rows = "all rows" if most is None else f"at most {most:,} rows"
    measured = ", ".join(found["of"])
    return f"validation: {found['times']:,} times {rows} of {measured}, on top of these hours"


def _run(run: Mapping[str, Any], disk: Mapping[str, float]) -> str:
    spent = f" in {_spent(run['hours'])}" if "hours" in run else ""
    models = "final/" if disk["models"] == 1 else "final/ and best/, each"
    return (
        f"the run: {run['steps']:,} steps{spent}; at most {disk['most_gib']:.3g} GiB of disk, "
        f"{disk['checkpoints']} checkpoints of {disk['checkpoint_gib']:.3g} and {models} of "
        f"{disk['final_gib']:.3g}"
    )


def _spent(hours: float) -> str:
    return f"{hours:.3g} hours" if hours >= 0.1 else f"{3600 * hours:.3g} seconds"
