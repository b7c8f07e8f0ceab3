"""The packaged methods: what each is, and what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uniapl_cli.commands.learning import active
from uniapl_cli.commands.method import plan
from uniapl_cli.commands.referring import needed, others
from uniapl_cli.commands.rewarding import rewards_of
from uniapl_cli.config.experiment import load_config
from uniapl_cli.config.methods import method_file, packaged
from uniapl_cli.config.schema import Config
from uniapl_cli.rewards.reward import needs
from uniapl_cli.tensors import START
from uniapl_cli.training.references import ReferenceOptions

# As the files call what a reward's functions need of a row.
COLUMNS = {"teacher": "response", "reference": "reference", "constraints": "constraints"}
MODELS = {"discriminator": "discriminator", "policy": "frozen start"}
HEAD = """# Every method

Made from the methods' files by `make style`; `uniapl list methods` prints a table of the same.
[Methods that mix](mixing.md) says what terms are made of. An experiment's file lies on top of a
method's, so what is set there, such as `sources.rollouts.num_generations`, is what is used.
"""
# Longer than any schedule of a packaged method.
STEPS = 100_000


def methods() -> list[dict[str, Any]]:
    """Return of each packaged method its section `about`, and what it needs.

    needs: columns by the data file that must have them. models: those beside the policy.
    """
    return [described(name) for name in packaged()]


def described(name: str) -> dict[str, Any]:
    """Return what a packaged method is and needs."""
    settings = [f"training.steps={STEPS}", "discriminator.path=tiny:polar"]
    config = load_config(None, settings, name)
    files, models = required(config)
    return {"name": name, **config.about.model_dump(), "needs": files, "models": models}


def required(config: Config) -> tuple[dict[str, list[str]], list[str]]:
    """Return the columns that each data file must have for a config's terms; and the models."""
    made = plan(config)
    named = others(config, made)
    columns: dict[str, set[str]] = {}
    models = {model for name, options in named.items() if (model := read(name, options))}
    models |= {MODELS["policy"]} if START in needed(config, made) else set()
    for term in made.ever_active:
        rewards = [config.rewards[reward] for reward in rewards_of(config, term)]
        wanted = {need for reward in rewards for need in needs(reward)}
        own = [named[name] for name in (*term.references, *term.teachers) if name in named]
        wanted |= {"teacher" for options in own if options.context == "demonstration"}
        answers = {a for n in config.with_roots([term.source]) for a in config.source(n).answers}
        read_there = {COLUMNS[need] for need in wanted if need in COLUMNS}
        file = f"data.{config.stream_of(term.source)}"
        columns.setdefault(file, set()).update(read_there, answers)
        models |= {MODELS[need] for need in wanted if need in MODELS}
    for learner, options in active(config, made).items():
        columns[f"data.{config.source(options.source).stream}"].add("response")
        models.add(f"learner {learner}")
    return {file: sorted(columns[file]) for file in sorted(columns)}, sorted(models)


def read(name: str, reference: ReferenceOptions) -> str | None:
    """Return what a reference loads or keeps beside the policy; None for one in another context."""
    if reference.context is not None:
        return None
    return f"references.{name}.path" if reference.ema is None else "moving average"


def asked(method: Mapping[str, Any]) -> str:
    """Write what a method needs in one line: `data.prompts (constraints); discriminator`."""
    files = [
        f"{file} ({', '.join(columns)})" if columns else file
        for file, columns in method["needs"].items()
    ]
    return "; ".join([*files, *method["models"]])


def page() -> str:
    """Return every packaged method as a page of the documentation."""
    return HEAD + "".join(map(entry, methods()))


def entry(method: Mapping[str, Any]) -> str:
    """Return a method's part of the page: what it says of itself, what it needs, its file."""
    told = {"paper": "Paper", "code": "Code", "settings": "Settings of its figures", "note": "Note"}
    lines = [f"{told[part]}: {method[part]}" for part in told if method[part]]
    lines.append(f"Needs: {asked(method)}")
    if method["experimental"]:
        lines.insert(0, "**Experimental**: some of its constants or formulas are uncertain.")
    listed = "".join(f"- {line}\n" for line in lines)
    file = without_about(method_file(method["name"]).read_text("utf-8"))
    title = f"\n## {method['name']}\n\n    {method['equation']}\n"
    return f"{title}\n{listed}\n```yaml\n{file}```\n"


def without_about(text: str) -> str:
    """Return a method's file without its section `about`."""
    lines = text.splitlines(keepends=True)
    start = next((n for n, line in enumerate(lines) if line.startswith("about:")), len(lines))
    inside = (n for n in range(start + 1, len(lines)) if not lines[n].startswith((" ", "\n")))
    return "".join([*lines[:start], *lines[next(inside, len(lines)) :]])
