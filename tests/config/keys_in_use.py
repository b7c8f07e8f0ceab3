"""Every key of the schema beside settings that put it to use, for the tests that walk the schema.

A key that is added is walked too: one whose section stands in none of the tables here fails both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from uniapl_cli.config.methods import METHODS
from uniapl_cli.config.schema import Config
from uniapl_cli.config.shape import all_children, field_shape, is_section, shape, walk
from uniapl_cli.objectives import batch_type, objectives
from uniapl_cli.options import MISSING
from uniapl_cli.registry import Choice, Named
from uniapl_cli.sources import sources

Settings = Mapping[str, Any]

# verb -> the least that it needs; the files are those of `write_files`.
VERBS: dict[str, Settings] = {
    "train": {
        "model.path": "tiny:base",
        "training.steps": 10,
        "data.demonstrations": "rows.jsonl",
        "data.prompts": "rows.jsonl",
        "data.preferences": "pairs.jsonl",
        "sampling.max_new_tokens": 16,
        "run.dir": "run",
        "run.device": "cpu",
        "run.threads": 1,
    },
    "pretrain-polar": {
        "polar.init": "tiny:base",
        "polar.trajectories": ["rows.jsonl", "others.jsonl"],
        "polar.heldout": ["rows.jsonl", "others.jsonl"],
        "training.steps": 10,
        "run.dir": "run",
        "run.device": "cpu",
        "run.threads": 1,
    },
    "teacher-gen": {
        "teacher.path": "tiny:teacher",
        "teach.prompts": "rows.jsonl",
        "teach.out": "out.jsonl",
    },
    "data compose": {"compose.out": "out.jsonl", "compose.rows": 60},
    "filter-gt": {"filter.responses": "rows.jsonl", "filter.out": "out.jsonl"},
    "eval": {
        "eval.model": "tiny:base",
        "eval.data": "rows.jsonl",
        "eval.out": "out",
        "eval.draws.greedy.sampling.max_new_tokens": 16,
    },
    "analyse": {
        "analyse.models": {"a": "tiny:base"},
        "analyse.data": "rows.jsonl",
        "analyse.out": "out",
        "analyse.responses": "models",
        "teacher.path": "tiny:teacher",
        "run.device": "cpu",
    },
    "score": {
        "discriminator.path": "tiny:polar",
        "score.input": "rows.jsonl",
        "score.output": "response",
        "score.out": "out.jsonl",
    },
}
METHOD = {"train": "sft", "pretrain-polar": str(METHODS / "polar.yaml")}
# The first part of a key, or a longer one -> the verb that takes it; the others are train's.
VERB_OF = {
    "teacher": "teacher-gen",
    "teach": "teacher-gen",
    "compose": "data compose",
    "filter": "filter-gt",
    "eval": "eval",
    "analyse": "analyse",
    "score": "score",
    "polar": "pretrain-polar",
    "sources.comparisons": "pretrain-polar",
}
# What a user names, in the keys as `walk` spells them.
NAMES = {
    "schedules.<name>": "schedules.alpha",
    "terms.<name>": "terms.mine",
    "updates.<name>": "updates.mine",
    "rewards.<name>": "rewards.mine",
    "references.<name>": "references.mine",
    "eval.draws.<name>": "eval.draws.greedy",
    "learners.<name>": "learners.judge",
    "sources.<name>.correction.": "sources.rollouts.correction.",
    "sources.<name>.prefix.law.": "sources.rollouts.prefix.law.",
}


def term(source: str, **objective: Any) -> Settings:
    """A term `mine` beside those of the method."""
    return {"terms.mine.source": source, "terms.mine.objective": objective}


def judged(*functions: str) -> Settings:
    """A term over rollouts whose reward `mine` are these functions."""
    return {
        **({"learners.judge": {}} if "learner" in functions else {}),
        "rewards.mine.functions": {
            name: {"name": "judge"} if name == "learner" else {} for name in functions
        },
        **term("rollouts", kind="surrogate", reward="mine"),
        "discriminator.path": "tiny:polar",
    }


def compared(**reference: Any) -> Settings:
    """A term over rollouts that compares them with a reference `mine`."""
    return {
        **judged("length"),
        **term("rollouts", kind="kl", reference="mine"),
        **{f"references.mine.{name}": value for name, value in reference.items()},
    }


# The closest key above -> what puts it to use.
USES: dict[str, Settings] = {
    "chat.date": judged("length"),  # no text of the rows needs it
    "data.prompts": judged("length"),
    "data.preferences": term("choices", kind="dpo"),
    "data.split": {"data.demonstrations": "saved"},
    "data.splits.demonstrations": {"data.demonstrations": "saved"},
    "data.splits.prompts": {**judged("length"), "data.prompts": "saved"},
    "data.splits.preferences": {**term("choices", kind="dpo"), "data.preferences": "saved_pairs"},
    "data.layout": {"data.demonstrations": "both.jsonl", "data.layout": "ifeval"},
    "data.layouts.demonstrations": {
        "data.demonstrations": "both.jsonl", "data.layouts.demonstrations": "ifeval",
    },
    "data.layouts.prompts": {
        **judged("length"), "data.prompts": "both.jsonl", "data.layouts.prompts": "ifeval",
    },
    "data.layouts.preferences": {
        **term("labels", kind="kto"), "data.preferences": "labelled.jsonl",
        "data.layouts.preferences": "labelled",
    },
    "data.assistant_turns": {"data.demonstrations": "talks.jsonl"},
    "data.tolerance": {
        "data.demonstrations": "bad.jsonl", "data.tolerance": 1, "data.bad_rows": "bad",
    },
    "data.bad_rows": {
        "data.demonstrations": "bad.jsonl", "data.tolerance": 1, "data.bad_rows": "bad",
    },
    "data.overlong": {"data.overlong": "drop", "data.max_response_tokens": 20},
    "data.max_prompt_tokens": {"data.overlong": "drop"},
    "data.max_response_tokens": {"data.overlong": "drop"},
    "model.adapter": {"model.adapter": {"rank": 4}},
    "sampling": judged("length"),
    "generation": {**judged("length"), "model.path": "tiny:teacher"},
    "generation.sync": {"generation": {"kind": "vllm", "addresses": ["127.0.0.1:1"]}},
    "sources.rollouts.correction": judged("length"),
    "sources.rollouts.prefix": {"sources.rollouts.prefix.rows": "all"},
    "sources.rollouts.prefix.law": judged("length"),
    "sources.demonstration_rollouts.prefix": {"sources.demonstration_rollouts.prefix.rows": "all"},
    "discriminator": judged("coef"),
    "sandbox": judged("verifier"),
    "rewards": judged("verifier"),
    "references.mine.path": compared(path="tiny:teacher"),
    "references.mine.revision": compared(path="tiny:teacher"),
    "references.mine.ema": compared(ema=0.5),
    **{
        f"references.mine.{name}": compared(context="demonstration")
        for name in ("context", "of", "text")
    },
    "terms.mine.objective.reference": {"references.other.path": "tiny:teacher"},
    "terms.mine.objective.own": {"terms.mine.objective.discount": 0.5},
    "learners": judged("learner"),
    "learners.judge.source": {
        "terms.other.source": "demonstration_rollouts",
        "terms.other.objective": {"kind": "surrogate", "reward": "mine"},
        "sources.demonstration_rollouts.num_generations": 2,
    },
    "learners.judge.optim.lr.after": {"learners.judge.optim.lr.steps": 5},
    "schedules": {"schedules.alpha": 1.0, "terms.imitation.weight": "alpha"},
    "updates": {
        **judged("length"), "updates.other.terms": ["imitation"], "updates.mine.terms": ["mine"],
        "terms.more": {"source": "rollouts", "objective": {"kind": "surrogate", "reward": "mine"}},
    },
    **{
        f"sources.held_{n}.keep": {f"sources.held_{n}.size": 4}
        for n in ("demonstrations", "rollouts", "pairs")
    },
    "schedules.alpha.after": {"schedules.alpha.steps": 5},
    "optim.lr.after": {"optim.lr.steps": 5},
    "terms": {**judged("verifier"), "schedules.alpha": 1.0, "terms.imitation.weight": "alpha"},
    "teach.keep_answers": {"teach.prompts": "bare.jsonl"},
    "teacher.server": {"teacher.server.url": "http://127.0.0.1:1/v1"},
    "eval.server": {
        "eval.server.url": "http://127.0.0.1:1/v1", "eval.benchmarks": ["ifeval"],
        "eval.data": None,
    },
    "eval.harness": {"eval.harness.tasks": ["a"]},
    "eval.contamination": {
        "eval.benchmarks": {"ifeval": {"data": "rows.jsonl"}},
        "eval.contamination.files": ["rows.jsonl"],
    },
    "eval.benchmark_data": {"eval.benchmarks": ["ifeval"]},
    "eval.limit": {"eval.benchmarks": ["ifeval"]},
    "eval.too_long": {"eval.benchmarks": ["ifeval"]},
    "compose.overlap": {
        "eval.benchmarks": {"ifeval": {"data": "rows.jsonl"}}, "compose.rows": 2,
    },
    "filter.constraints": {"filter.responses": "bare.jsonl"},
    "validation": {"validation.every": 2, "validation.prompts": "rows.jsonl"},
    "validation.demonstrations": {"validation.demonstrations": "rows.jsonl"},
    "validation.preferences": {
        **term("choices", kind="dpo"), "validation.preferences": "pairs.jsonl",
    },
    "validation.benchmark_data": {"validation.benchmarks": ["ifeval"]},
    "validation.limit": {"validation.benchmarks": ["ifeval"]},
    "validation.split": {"validation.prompts": None, "validation.demonstrations": "saved"},
    "validation.sampling": {"validation.sampling.max_new_tokens": 16},
    "validation.best": {"validation.best": "prompts/prompt_strict"},
}  # fmt: skip
# What a kind must be told, wherever it is chosen.
MANDATORY = {
    "value": 0.5, "peak": 1.0, "start": 1.0, "end": 0.5, "valley": 0.25, "warmup_steps": 2,
    "decay_steps": 4, "buffer": 4, "values": [1.0, 0.5], "at": [5.0], "p": "0.5", "target": 2.0,
    "measure": "loss", "imitation": "loss", "reinforcement": "grad_norm", "disagreement": "lr",
    "reward": "mine", "reference": "start", "path": "tiny:polar", "engine": "sglang",
    "addresses": ["127.0.0.1:1"], "name": "judge", "share": 0.5, "high": 0.75,
}  # fmt: skip


@dataclass(frozen=True)
class Use:
    """A key in use. `key` is as a user types it; `settings` make `verb` take it."""

    key: str
    kind: str
    field: FieldInfo
    verb: str
    settings: Settings

    @property
    def id(self) -> str:
        return f"{self.key}[{self.kind}]" if self.kind else self.key

    @property
    def method(self) -> str | None:
        return METHOD.get(self.verb)


def uses() -> list[Use]:
    """Every key that is no mere section, in use, for every kind that takes it."""
    uses = {
        (path, entry and entry.name): _use(path, field, entry.name if entry else "")
        for path, field, entry in walk(Config)
        if not all(map(holds_sections, field_shape(field)))
    }
    return list(uses.values())


def holds_sections(option: Any) -> bool:
    """Whether an alternative is a section or a map of sections, whose own keys are walked."""
    if isinstance(option, Named) or is_section(option):
        return True
    inside = get_args(option)[1] if get_origin(option) is dict else Any
    return any(isinstance(o, Choice) or is_section(o) for o in shape(inside))


def _use(path: Sequence[str], field: FieldInfo, kind: str) -> Use:
    key = ".".join(path)
    for spelt, named in NAMES.items():
        key = key.replace(spelt, named, 1)
    key = key.replace("<name>", kind)  # the entries of `sources` and `functions` are kinds
    verb = next((VERB_OF[above] for above in _above(key) if above in VERB_OF), "train")
    settings = {**VERBS[verb]}
    for above in reversed(list(_above(key))):
        settings |= USES.get(above, {})
    if kind:
        settings |= choosing(key.rpartition(".")[0], kind)
    return Use(key, kind, field, verb, settings)


def _above(key: str) -> Iterator[str]:
    """A key and those above it, the closest first."""
    while key:
        yield key
        key = key.rpartition(".")[0]


def choosing(key: str, kind: str) -> Settings:
    """Settings that choose a kind at a key, with what else it takes to do so."""
    section = key.partition(".")[0]
    if section == "sources" and kind in sources:  # an option that the kind of source has
        return {} if kind == "comparisons" else _fitting(kind)
    required = {name: MANDATORY[name] for name in mandatory(key, kind)}
    settings: dict[str, Any] = {key: {"kind": kind, **required}}
    if section == "rewards" and ".functions." in key:
        return judged(kind) | {"rewards.mine.functions": {kind: required}}
    if key == "terms.mine.objective":
        wanted = batch_type(objectives[kind])
        fitting = [name for name in sources if sources[name].traits["batch"] is wanted]
        settings["terms.mine.source"] = "rollouts" if "rollouts" in fitting else fitting[0]
    return settings


def _fitting(source: str) -> Settings:
    """A term over a source, whose objective is one that takes its batches."""
    wanted = sources[source].traits["batch"]
    if sources[source].traits.get("rewarded"):
        return judged("length") | term(source, kind="surrogate", reward="mine")
    kind = next(name for name in objectives if batch_type(objectives[name]) is wanted)
    return term(source, kind=kind)


def mandatory(key: str, kind: str) -> list[str]:
    """The options that a kind does not have a default for."""
    return [
        name
        for name, field in choice_at(key).registry[kind].takes().items()
        if field.is_required() or field.default == MISSING
    ]


def choice_at(key: str) -> Choice:
    """The choice that stands at a key."""
    admitted: Any = (Config,)
    for part in key.split("."):
        admitted = all_children(admitted, part)
    return next(option for option in admitted if isinstance(option, Choice))


def overrides(settings: Settings) -> list[str]:
    """Settings as a command line has them."""
    return [f"{key}={json.dumps(value)}" for key, value in settings.items()]


def text(settings: Settings) -> str:
    """Settings as a file has them, a key a line."""
    tree: dict[str, Any] = {}
    for key, value in settings.items():
        *above, last = key.split(".")
        inside = tree
        for part in above:
            inside = inside.setdefault(part, {})
        inside[last] = deepcopy(value)
    return "".join(f"{line}\n" for line in _lines(tree))


def _lines(tree: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        else:
            flow = yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n")
            yield f"{indent}{name}: {flow.strip()}"


def line_of(file: str, key: str) -> int:
    """The line of a file that a key stands in."""
    node, line = yaml.compose(file), 0
    for part in key.split("."):
        line, node = next((k.start_mark.line + 1, v) for k, v in node.value if k.value == part)
    return line
