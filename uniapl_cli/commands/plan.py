"""uniapl plan: the memory, the time and the disk that a run would take, from configs alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from uniapl_cli.commands.device import device_name
from uniapl_cli.commands.learning import active
from uniapl_cli.commands.method import learning_rate
from uniapl_cli.commands.method import plan as plan_of
from uniapl_cli.commands.paper import setup_of
from uniapl_cli.commands.referring import others
from uniapl_cli.commands.validation import check_validation, times
from uniapl_cli.commands.world import assumed, described, world_of
from uniapl_cli.config.schema import Config
from uniapl_cli.memory import free_bytes
from uniapl_cli.planning.cards import GIB, Card, card, present
from uniapl_cli.planning.levers import levers
from uniapl_cli.planning.memory import measure
from uniapl_cli.planning.scaling import LINK_SHARE, NETWORK, Scaling, communication, scaling
from uniapl_cli.planning.seconds import BANDWIDTH_SHARE, RATE_SHARE, Rates, seconds, work
from uniapl_cli.planning.setup import Setup, Usage
from uniapl_cli.planning.step import all_passes, largest
from uniapl_cli.planning.traffic import traffic
from uniapl_cli.precision import DTYPES
from uniapl_cli.training.terms import Plan

# Share of a GPU's memory for CUDA itself and for what its allocator cannot use.
SPARED = 0.06


def plan(
    config: Config,
    *,
    gpu: str | None = None,
    ranks: int = 1,
    hosts: int | None = None,
    network: float = NETWORK,
    **rates: float | None,
) -> dict[str, Any]:
    """Return what a run would take of each of its cards; no weights or data are read.

    Neither the cards nor the hosts need be there. gpu: a card's name or its GiB; None is the
    machine's own device. ranks: how many, on so many hosts; by default of 8 each. network: GB/s of
    a card to other hosts. rates: flops, bandwidth, link, in TFLOP/s and GB/s, go before the card's.
    Raises UniAPLError.
    """
    config.require("model.path", "training", "terms", "optim")
    method = plan_of(config)
    learning_rate(config)
    check_validation(config, method)
    world = world_of(config, ranks, hosts)
    found, device = _card(config, gpu, world.of_host, rates)
    room = int((1 - SPARED) * found.bytes) if device == "cuda" else found.bytes
    setup = setup_of(config, method, device, room, replace(world, card=found.bytes))
    usage = measure(setup)
    fits, updates = usage.peak <= room, config.training.num_iterations
    moved = traffic(setup, usage, updates)
    waited = communication(moved, usage.world, found, network)
    spent, scaled = _seconds(setup, usage, found, updates, waited)
    return {
        "method": config.method,
        "model": config.model.path,
        "device": {"name": found.name, "kind": device, **_rates(found)},
        "computed in": str(setup.dtype).removeprefix("torch."),
        "memory": _memory(usage, room, fits),
        "change": [] if fits else _levers(setup, usage, room),
        "step": _step(setup),
        "seconds": spent,
        "ranks": described(setup, usage, moved, scaled),
        "run": _run(config, spent),
        "validation": _validation(config),
        "disk": _disk(config, setup, usage),
        "assumed": [
            *_assumed(setup, device, bool(spent)),
            *assumed(usage, found, network, LINK_SHARE),
            *_copied(config, usage, device),
            *_uncounted(config, method),
        ],
    }


def _card(
    config: Config, gpu: str | None, of_host: int, rates: Mapping[str, float | None]
) -> tuple[Card, str]:
    """Return the card that is planned for, and the kind of device: cuda or cpu.

    The ranks of a host share this machine's memory.
    """
    if gpu is not None:
        return card(gpu, **rates), "cuda"
    device = torch.device(device_name(config))
    if device.type == "cuda":
        return present(device, **rates), "cuda"
    return Card("this machine", free_bytes(device) / GIB / of_host, **rates), "cpu"


def _rates(found: Card) -> dict[str, float]:
    known = {"tflops": found.flops, "gb_per_second": found.bandwidth, "link": found.link}
    return {name: value for name, value in known.items() if value is not None}


def _seconds(
    setup: Setup, usage: Usage, found: Card, updates: int, waited: float | None
) -> tuple[dict[str, float], Scaling | None]:
    """Return seconds by phase and how they scale; waited: those that cards send each other."""
    rates = Rates.of(found)
    if rates is None:
        return {}, None
    spent = seconds(setup, usage, rates, updates)
    if usage.world.ranks == 1 or waited is None:
        return spent, None
    spent["communication"] = waited
    return spent, scaling(setup, usage, rates, updates, spent)


def _memory(usage: Usage, room: int, fits: bool) -> dict[str, Any]:
    return {
        "fits": fits,
        "room_gib": room / GIB,
        "peak_gib": usage.peak / GIB,
        "phase": usage.phase,
        "parts_gib": {
            name: size / GIB
            for name, size in sorted(usage.phases[usage.phase].items(), key=lambda item: -item[1])
        },
        "phases_gib": {name: sum(of.values()) / GIB for name, of in usage.phases.items()},
    }


def _levers(setup: Setup, usage: Usage, room: int) -> list[dict[str, Any]]:
    return [
        {"set": list(lever.changes), "peak_gib": lever.peak / GIB, "fits": lever.peak <= room}
        for lever in levers(setup, usage, room)
    ]


def _step(setup: Setup) -> dict[str, int]:
    done, one = work(setup.draws), largest(setup.draws)
    return {
        "rows": sum(draw.rows for draw in setup.draws),
        "micro_batches": len(all_passes(setup.draws)),
        "largest_rows": one.rows,
        "largest_tokens": one.tokens,
        "tokens_read": done.read,
        "tokens_learnt": done.learnt,
        "tokens_sampled": done.sampled,
    }


def _run(config: Config, spent: dict[str, float]) -> dict[str, float]:
    steps = config.training.steps
    hours = {"hours": steps * sum(spent.values()) / 3600} if spent else {}
    return {"steps": steps, **hours}


def _validation(config: Config) -> dict[str, Any]:
    """Return how often held-out rows are measured and on what; {} where they are not."""
    options = config.validation
    if options.every is None:
        return {}
    measured = [*options.named, *options.benchmarks]
    return {"times": times(config), "of": measured, "rows_of_each": options.limit}


def _disk(config: Config, setup: Setup, usage: Usage) -> dict[str, float]:
    """Return the GiB of checkpoints and of models: the final one, and the best where one is kept.

    A new checkpoint is there before an old one goes, and so is a new best model, before the final.
    Servers that sample read the weights of each update from a folder.
    """
    run = config.run
    made = -(-config.training.steps // run.save_every)
    kept = min(made, run.keep_checkpoints + 1)
    checkpoint = (usage.trained + usage.state) / GIB
    size = DTYPES.get(run.final_dtype, torch.float32).itemsize
    final = size * usage.parameters / GIB
    models = 1 if config.validation.best is None else 2
    sent = setup.dtype.itemsize * usage.parameters / GIB if _served(setup) else 0.0
    return {
        "checkpoint_gib": checkpoint,
        "checkpoints": kept,
        "final_gib": final,
        "models": models,
        "sent_gib": sent,
        "most_gib": kept * checkpoint + models * final + 2 * sent,
    }


def _served(setup: Setup) -> bool:
    """Whether servers sample the policy."""
    return setup.elsewhere and bool(setup.sampled)


def _assumed(setup: Setup, device: str, timed: bool) -> list[str]:
    lines = ["every row is as long as data.max_prompt_tokens and the longest response let it be"]
    if device == "cuda":
        lines.append(f"{SPARED:.0%} of the card is left to CUDA and its allocator")
    else:
        lines.append("the room is what is free now; Python and its libraries have theirs")
    if _served(setup):
        lines.append("the servers that sample have memory and seconds of their own")
    if timed:
        lines.append(
            f"{RATE_SHARE:.0%} of the FLOP/s and {BANDWIDTH_SHARE:.0%} of the bandwidth are "
            "reached: an assumption, measured on no card yet"
        )
    else:
        lines.append("seconds need --flops and --bandwidth, or a card's name")
    return lines


def _copied(config: Config, usage: Usage, device: str) -> list[str]:
    """Return the line of the copy from which checkpoints are written beside the steps."""
    if config.run.checkpoint_beside is False:
        return []
    where = "the machine's memory" if device == "cuda" else "memory that the peak leaves free"
    size = (usage.trained + usage.state) / GIB
    return [f"the copy of a checkpoint, {size:.3g} GiB, has its place in {where}"]


def _uncounted(config: Config, method: Plan) -> list[str]:
    """Return the lines of further learners and of named references, which nothing here counts."""
    learners = [f"learners.{name}" for name in active(config, method)]
    lines = [f"{name} comes on top: its weights, optimiser and passes" for name in learners]
    for name, options in others(config, method).items():
        parts = "its passes" if options.context is not None else "its weights and passes"
        lines.append(f"references.{name} comes on top: {parts}")
    return lines
