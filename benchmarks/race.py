"""Contestants in turn, each in a process of its own: what runs every comparison with a peer.

A heat is one job for several contestants. A round runs each once, so that whatever else the machine
does slows all; of a few rounds the medians and the ranges are told. The first contestant is this
project, and the others' seconds are also given as multiples of its own, round by round. Seconds are
the processor's, of a contestant's whole family of processes, or of its steps where it makes some.
`peak_gib` is the most memory that was resident in a round, `extra_gib` how much that is above what
was before. `others` is how many cores other work took.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.engines.contestant import Contestant, EngineFailed
from benchmarks.engines.machine import free_gib, machine

Line = dict[str, Any]
TICK = 0.01  # what the seconds of processes are counted in
ROW = "{:12} {:22} {:>10} {:>17} {:>8} {:>8} {:>15} {:>7}  {}"


@dataclass(frozen=True)
class Entry:
    """A contestant: a module of benchmarks/engines, its own part of the job, settings in words."""

    module: str
    settings: str = ""
    job: Mapping[str, Any] = field(default_factory=dict)
    python: str = sys.executable
    rounds: int | None = None  # at most, of a slow one


@dataclass(frozen=True)
class Heat:
    """A job and who does it. about: the job as the result tells it; null: as it is."""

    job: Mapping[str, Any]
    entries: Mapping[str, Entry]
    about: Mapping[str, Any] | None = None
    fresh: bool = False  # a process a round, so that nothing is warm and peaks are its own
    gib: float = 0  # memory that must be free before a contestant starts


def arguments(about: str, *, rounds: int = 3) -> argparse.ArgumentParser:
    """Return a parser of what every benchmark takes."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--small", action="store_true", help="a rehearsal: its figures say nothing")
    parser.add_argument("--heats", help="some of the jobs, with commas")
    parser.add_argument("--only", help="some of the contestants, with commas")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for one answer")
    parser.add_argument("--out", type=Path, help="file for the result")
    return parser


class Race:
    """One heat under way. `lines`: what each contestant said, a line a round."""

    def __init__(self, heat: Heat, rounds: int, limit: float, scratch: Path) -> None:
        self.heat, self.rounds, self.limit, self.scratch = heat, rounds, limit, scratch
        self.running: dict[str, Contestant] = {}
        self.failed: set[str] = set()
        self.versions: dict[str, Any] = {}
        self.lines: list[Line] = []

    def run(self) -> None:
        try:
            for number in range(self.rounds):
                for name, entry in self.heat.entries.items():
                    if name not in self.failed and number < (entry.rounds or self.rounds):
                        self.turn(name, entry, number)
        finally:
            for contestant in self.running.values():
                contestant.end(patience=15)

    def turn(self, name: str, entry: Entry, number: int) -> None:
        """Let a contestant do its job once; one that fails leaves its `error`, and is out."""
        try:
            if name not in self.running:
                self.running[name] = self.start(name, entry)
                self.versions[name] = self.running[name].answer()["versions"]
            figures = rounded(self.running[name].work())
        except EngineFailed as error:
            figures = {"error": str(error)}
            self.failed.add(name)
        if self.heat.fresh or name in self.failed:
            self.running.pop(name).end(patience=15)
        self.lines.append({"contestant": name, "round": number, **figures})
        print(json.dumps(self.lines[-1]), file=sys.stderr, flush=True)

    def start(self, name: str, entry: Entry) -> Contestant:
        while free_gib() < self.heat.gib:
            print(f"{name} waits for {self.heat.gib} GiB", file=sys.stderr, flush=True)
            time.sleep(20)
        file = self.scratch / "job.json"
        file.write_text(json.dumps({**self.heat.job, **entry.job}))
        log = self.scratch / f"{name}.log"
        return Contestant(entry.python, entry.module, file, log, self.limit)


def rounded(value: Any) -> Any:
    """Return figures of six digits at most."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def unit(line: Line) -> float:
    """Return a round's CPU seconds: of the median step where there are steps."""
    if "cpu_steps" in line:
        return statistics.median(line["cpu_steps"])
    return max(line["cpu_seconds"], TICK)


def summary(lines: list[Line], settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the medians of each contestant, and how many times the first one's seconds it takes.

    `times` is the median of the rounds' ratios, `times_range` the least and the largest of them.
    """
    whole = [line for line in lines if "error" not in line]
    base = next(iter(settings))
    firsts = {line["round"]: unit(line) for line in whole if line["contestant"] == base}
    found: dict[str, Any] = {}
    for name, words in settings.items():
        own = [line for line in whole if line["contestant"] == name]
        if not own:
            continue
        found[name] = {"settings": words, **medians(own)}
        ratios = [unit(line) / firsts[line["round"]] for line in own if line["round"] in firsts]
        if ratios and name != base:
            found[name]["times"] = statistics.median(ratios)
            found[name]["times_range"] = [min(ratios), max(ratios)]
    return rounded(found)


def medians(own: list[Line]) -> dict[str, Any]:
    """Return a contestant's figures over its rounds."""

    def median(of: Callable[[Line], float]) -> float:
        return statistics.median(map(of, own))

    found: dict[str, Any] = {
        "rounds": len(own),
        "cpu_seconds": median(unit),
        "cpu_range": [min(map(unit, own)), max(map(unit, own))],
        "seconds": median(lambda line: statistics.median(line.get("steps", [line["seconds"]]))),
        "peak_gib": max(line["peak_gib"] for line in own),
        "extra_gib": max(line["extra_gib"] for line in own),
        "others": median(lambda line: line["others"]),
    }
    for part in own[0].get("parts", ()):
        values = [statistics.median(line["parts"][part]) for line in own]
        found.setdefault("parts", {})[part] = statistics.median(values)
    if "value" in own[-1]:
        found["value"] = own[-1]["value"]
    return found


def table(results: Mapping[str, Any]) -> str:
    """Return the summaries for people to read."""
    heads = ("CPU s", "range", "wall s", "peak GiB", "times the first", "others", "settings")
    lines = [ROW.format("heat", "contestant", *heads)]
    for heat, found in results.items():
        for name, one in found["summary"].items():
            low, high = one["cpu_range"]
            times = f"{one['times']:.2f}" if "times" in one else ""
            if times:
                times += " ({:.2f}-{:.2f})".format(*one["times_range"])
            figures = (f"{one['cpu_seconds']:.4g}", f"{low:.4g}-{high:.4g}")
            figures += (f"{one['seconds']:.4g}", f"{one['peak_gib']:.2f}", times)
            lines.append(ROW.format(heat, name, *figures, f"{one['others']:.1f}", one["settings"]))
            if parts := one.get("parts"):
                lines.append("  " + ", ".join(f"{part} {s:.4g} s" for part, s in parts.items()))
    return "\n".join(lines)


def chosen(
    heats: Mapping[str, Heat], options: argparse.Namespace, refuse: Callable[[str], Any]
) -> dict[str, Heat]:
    """Return the heats and contestants that --heats and --only name."""
    names = options.heats.split(",") if options.heats else list(heats)
    there = list(dict.fromkeys(name for heat in heats.values() for name in heat.entries))
    only = options.only.split(",") if options.only else there
    for flag, words, known in (("--heats", names, list(heats)), ("--only", only, there)):
        if unknown := [word for word in words if word not in known]:
            refuse(f"{flag}: there is no {unknown[0]}; there are {', '.join(known)}")
    found = {}
    for name in names:
        heat = heats[name]
        entries = {key: entry for key, entry in heat.entries.items() if key in only}
        found[name] = Heat(heat.job, entries, heat.about, heat.fresh, heat.gib)
    return found


def run(
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    heats: Mapping[str, Heat],
    more: Callable[[str, list[Line]], dict[str, Any]] = lambda heat, lines: {},
) -> dict[str, Any]:
    """Run the heats, print a table and write the result. more: what else a heat's result has."""
    module = sys.modules["__main__"].__spec__.name  # type: ignore[union-attr]
    results: dict[str, Any] = {}
    whole = {
        "command": " ".join([f"python -m {module}", *sys.argv[1:]]),
        "machine": machine(),
        "heats": results,
    }
    with tempfile.TemporaryDirectory() as scratch:
        for name, heat in chosen(heats, options, parser.error).items():
            rounds = 1 if options.small else options.rounds
            race = Race(heat, rounds, options.limit, Path(scratch))
            race.run()
            settings = {key: entry.settings for key, entry in heat.entries.items()}
            results[name] = {
                "job": dict(heat.job if heat.about is None else heat.about),
                "versions": race.versions,
                "summary": summary(race.lines, settings),
                **more(name, race.lines),
                "rounds": race.lines,
            }
            if options.out:  # what is measured so far is kept
                options.out.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")
    print(table(results))
    return whole
