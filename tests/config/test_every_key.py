"""Each key of the schema reaches something: another value of it makes another object.

The composition is the program's own; only what would train, sample or score is replaced, by what
notes its arguments. What was loaded once is copied.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import torch
from fingerprint import fingerprint
from keys_in_use import Settings, Use, choosing, overrides, uses
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from uniapl_cli import load_config
from uniapl_cli.commands import (
    analyse,
    benchmarks,
    components,
    compose,
    evaluate,
    filter_gt,
    harness,
    heldout,
    job,
    logprobs,
    measured,
    model_folder,
    pretrain_polar,
    reading,
    replies,
    score,
    subject,
    tasks,
    teacher_gen,
    track,
    train,
)
from uniapl_cli.config.shape import field_shape
from uniapl_cli.discriminators import embedding, local, reward_model, scalar
from uniapl_cli.discriminators.polar import polar
from uniapl_cli.discriminators.remote import servers as remote
from uniapl_cli.errors import UniAPLError
from uniapl_cli.evaluation.benchmarks import Item, Turn
from uniapl_cli.monitoring.trackers import trackers
from uniapl_cli.options import Options
from uniapl_cli.ranks import Ranks
from uniapl_cli.registry import Choice, NameOf
from uniapl_cli.teachers import Answer
from uniapl_cli.tiny.assets import resolve

pytestmark = pytest.mark.slow

HELD = ("demonstrations", "rollouts", "pairs")
# Another value of a key, where its type and its bounds do not tell one that fits.
OTHER: Mapping[str, Any] = {
    "method": "grpo",
    "run.device": "tpu",
    "run.threads": 2,
    "model.path": "tiny:teacher",
    "model.adapter.targets": ["q_proj"],
    "teacher.path": "tiny:base",
    "url": "http://127.0.0.1:2/v1",
    "addresses": ["127.0.0.1:2"],
    "api_key_env": "UNIAPL_TEST_KEY",
    "attention": "eager",
    "run.final_dtype": "float16",
    "chat.template": "qwen2.5",
    "sandbox.packages": ["nltk"],
    "chat.date": "2026-07-01",
    "data.demonstrations": "others.jsonl",
    "data.prompts": "others.jsonl",
    "data.preferences": "pairs2.jsonl",
    "data.layout": "autoif",
    "data.layouts.demonstrations": "autoif",
    "data.layouts.prompts": "autoif",
    "data.layouts.preferences": "preference",
    "data.ignore": ["reference"],
    "data.cache": "elsewhere",
    "data.split": "heldout",
    "data.splits.demonstrations": "heldout",
    "data.splits.prompts": "heldout",
    "data.splits.preferences": "heldout",
    "data.tolerance": 0,
    "data.max_prompt_tokens": 30,
    "data.max_response_tokens": 20,
    "discriminator.path": "copy",
    "betas": [0.5, 0.75],
    "sources.demonstration_rollouts.prefix.rows": 1,
    "sources.rollouts.prefix.law.share": 0.25,
    "sources.rollouts.prefix.law.low": 0.25,
    "sources.rollouts.prefix.law.high": 0.5,
    **{f"sources.held_{n}.of": "demonstration_rollouts" for n in HELD},
    **{f"sources.held_{n}.rows": "all_equal" for n in HELD},
    "updates.mine.terms": ["mine", "more"],
    "updates.mine.max_grad_norm": 0.25,
    "sources.held_pairs.better": "all_equal",
    "sources.held_pairs.worse": "all_equal",
    "schedules.alpha.p": "0.25",
    "schedules.alpha.measure": "imitation",
    "schedules.alpha.imitation": "imitation",
    "schedules.alpha.reinforcement": "imitation",
    "schedules.alpha.disagreement": "imitation",
    "values": [0.5, 1.0],
    "at": [6.0],
    "learners.judge.init": "tiny:polar",
    "learners.judge.source": "demonstration_rollouts",
    "terms.mine.source": "demonstration_rollouts",
    "terms.mine.objective.reward": "verifier",
    "terms.mine.objective.reference": "other",
    "references.mine.path": "tiny:base",
    "references.mine.of": "start",
    "references.mine.text": "{shown} {prompt}",
    "terms.mine.weight": "alpha",
    "terms.mine.rows": "expert",
    "terms.mine.tokens": "not expert",
    "terms.mine.scale": "1 - p",
    "teach.prompts": "others.jsonl",
    "compose.prompts": "bare.jsonl",
    "compose.without": ["copy:copy"],
    "filter.constraints": "rows.jsonl",
    "filter.responses": "others.jsonl",
    "eval.model": "tiny:teacher",
    "analyse.models": {"a": "tiny:teacher"},
    "analyse.data": "others.jsonl",
    "eval.data": "others.jsonl",
    "eval.metrics": ["length"],
    "validation.every": 3,
    "validation.prompts": "others.jsonl",
    "validation.demonstrations": "others.jsonl",
    "validation.preferences": "pairs2.jsonl",
    "validation.metrics": ["length"],
    "validation.split": "heldout",
    "validation.best": "prompts/inst_strict",
    "eval.harness.tasks": ["b"],
    "eval.contamination.files": ["others.jsonl"],
    "score.input": "others.jsonl",
    "score.prompt": "topic",
    "score.reference": "topic",
    "score.output": "topic",
    "polar.init": "tiny:teacher",
    "polar.trajectories": ["others.jsonl", "rows.jsonl"],
    "polar.heldout": ["others.jsonl", "rows.jsonl"],
    "polar.separator": "<|im_end|>",
    "polar.tail": "<|im_end|>",
}
# Keys of which another value is refused, and why no other value is there to be built.
REFUSED: Mapping[str, str] = {
    "method": "the command line has said it",
    "run.device": "without CUDA there is the CPU alone",
    "data.tolerance": "nothing is built of a file with more bad rows",
    "data.overlong": "error refuses the rows that are too long",
    "sampling.top_p": "rollouts are drawn from the policy itself; eval and teach take others",
    "sampling.top_k": "the same",
    "terms.mine.objective": "bradley_terry is pretrain-polar's",
    "optim": "adamw8bit's package need not be installed",
    "learners.judge.objective": "bradley_terry alone is of pairs",
    "learners.judge.optim": "as optim",
    "rewards.mine.functions.learner.name": "there is one learner",
    "generation.sync": "nccl's package, vLLM, need not be installed",
    **dict.fromkeys(
        (
            "model.revision",
            "teacher.revision",
            "eval.revision",
            "discriminator.revision",
            "references.mine.revision",
        ),
        "a folder has no revision, and the models here are folders",
    ),
}
# What a kind imports that need not be installed.
PACKAGES: Mapping[str, str] = {"adamw8bit": "bitsandbytes", "nccl": "vllm"}


# Of every benchmark's rows, which are none of its own.
SUBSETS = ("other", "other", "mine", "mine")


@pytest.fixture(scope="module")
def files(rows: Path) -> Iterator[Path]:
    """The folder of the settings' rows, the present one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(rows)
        patch.setenv("UNIAPL_TEST_KEY", "a-key")
        yield rows


def copied(load: Callable[..., Any]) -> Callable[..., Any]:
    """A loader that loads each thing once, and gives copies which tell how they were asked for."""
    load_once = cache(load)

    def loaded(*arguments: Any, **options: Any) -> Any:
        options = {n: tuple(v) if isinstance(v, list) else v for n, v in options.items()}
        thing = copy.deepcopy(load_once(*arguments, **options))
        thing.loaded_as = f"{arguments} {sorted(options.items())}"
        return thing

    return loaded


def kept(noted: list[Any]) -> type:
    """A file of answers and numbers that are all there; the model is made all the same."""

    class Kept:
        rows = SimpleNamespace(path=Path("kept.jsonl"))

        def __init__(self, *arguments: Any, **options: Any) -> None:
            noted.append((arguments, options))

        def answers(self, asked: Any, load: Callable[[], Any], title: str) -> Any:
            noted.append(((asked, load()), {}))
            said = Answer("So.", "stop", 1, 1)
            return {(one.id, one.turn, n): said for one in asked for n in one.samples}

        def numbers(self, places: Any, *arguments: Any) -> list[float]:
            noted.append(((places,), {}))
            return [-1.0] * len(places)

    return Kept


@pytest.fixture(scope="module")
def built(files: Path) -> Iterator[list[Any]]:
    """What the verbs hand on to what would train, sample, judge or score."""
    noted: list[Any] = []

    def note(result: Any = None) -> Callable[..., Any]:
        def noting(*arguments: Any, **options: Any) -> Any:
            noted.append((arguments, options))
            return result

        return noting

    @contextmanager
    def judging(*arguments: Any, **options: Any) -> Iterator[Any]:
        noted.append((arguments, options))
        yield []

    def teaching(rows: Any, load: Callable[[], Any], *arguments: Any, **options: Any) -> Any:
        noted.append(((rows, load(), *arguments), options))
        return {}

    def read_items(*arguments: Any) -> Any:
        noted.append((arguments, {}))
        return [Item(str(n), (Turn("Why?", ()),), subset) for n, subset in enumerate(SUBSETS)]

    def following(run: Any, chosen: Mapping[str, Any]) -> list[Any]:
        noted.append([trackers.bind(options) for options in chosen.values()])
        return []

    def saving(folder: Path, *arguments: Any, **options: Any) -> None:
        noted.append((arguments, {}))
        link(folder)

    with pytest.MonkeyPatch.context() as patch:
        for module in (
            components,
            teacher_gen,
            pretrain_polar,
            polar,
            reward_model,
            embedding,
            remote,
            scalar,
        ):
            patch.setattr(module, "load_tokenizer", copied(module.load_tokenizer))
        for module in (components, teacher_gen):
            patch.setattr(module, "load_model", copied(module.load_model))
        for module in (local, polar, scalar):
            patch.setattr(module, "load_pretrained", copied(module.load_pretrained))
        patch.setattr(reading, "Cache", note())
        patch.setattr(train, "context_length", cache(train.context_length))
        patch.setattr(job, "run_loop", note(True))
        patch.setattr(model_folder, "save_folder", saving)
        patch.setattr(train, "open_run", note())
        patch.setattr(train, "check_trackers", lambda config: None)
        patch.setattr(track, "followers", following)
        patch.setattr(pretrain_polar, "open_run", note())
        patch.setattr(pretrain_polar, "pair_accuracy", note({}))
        patch.setattr(teacher_gen, "teach", teaching)
        patch.setattr(filter_gt, "judged_chunks", judging)
        patch.setattr(filter_gt, "filter_rows", note({}))
        patch.setattr(filter_gt, "ALONE", 0)
        patch.setattr(measured, "load_tokenizer", copied(measured.load_tokenizer))
        patch.setattr(heldout, "evaluate", note(({}, [])))
        patch.setattr(harness, "check_installed", lambda: None)
        patch.setattr(harness, "model_class", note)
        patch.setattr(harness, "run_tasks", note({}))
        patch.setattr(tasks, "read_items", read_items)
        patch.setattr(benchmarks, "ask", note({}))
        patch.setattr(benchmarks, "grade", note([]))
        patch.setattr(evaluate, "environment", lambda **_: {})
        patch.setattr(analyse, "environment", lambda **_: {})
        patch.setattr(subject, "load_tokenizer", copied(subject.load_tokenizer))
        patch.setattr(replies, "AnswerFile", kept(noted))
        patch.setattr(logprobs, "NumberFile", kept(noted))
        patch.setattr(score, "score_rows", note({}))
        # The file itself holds the time of its last write.
        patch.setattr(score, "AppendOnlyRows", lambda *arguments: nullcontext(arguments))
        yield noted


def link(folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.symlink_to(resolve("tiny:polar"))


class Several(Ranks):
    """One rank, which notes how several would meet."""

    def __init__(self, noted: list[Any]) -> None:
        self.noted = noted

    def configure(self, device: str, options: Options, **more: bool) -> None:
        self.noted.append(((device, options.model_dump(), more), {}))


COMMANDS = {
    "train": train.train,
    "pretrain-polar": pretrain_polar.pretrain_polar,
    "teacher-gen": teacher_gen.teacher_gen,
    "data compose": compose.compose,
    "filter-gt": filter_gt.filter_gt,
    "eval": evaluate.evaluate,
    "analyse": lambda config: analyse.analyse(config, "logprobs"),
    "score": score.score,
}


@pytest.fixture(scope="module")
def build(files: Path, built: list[Any]) -> Callable[..., str]:
    """build(verb, method, overrides): the fingerprint of all that the verb makes of them."""
    there = set(files.iterdir())

    @cache
    def make(verb: str, method: str | None, settings: tuple[str, ...]) -> str:
        built.clear()
        threads = torch.get_num_threads()
        try:
            several = {"ranks": Several(built)} if verb == "train" else {}
            result = COMMANDS[verb](load_config(None, settings, method), **several)
            wrote = sorted(path.name for path in set(files.iterdir()) - there)
            machine = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
            return fingerprint([built, result, wrote, machine])
        finally:
            torch.use_deterministic_algorithms(False)
            torch.set_num_threads(threads)
            for path in set(files.iterdir()) - there:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    return make


def others(use: Use, present: Any) -> Iterator[Settings]:
    """Settings in which the key has another value: each that its type lists, else one."""
    admitted, names = (
        field_shape(use.field),
        [m for m in use.field.metadata if isinstance(m, NameOf)],
    )
    choice = next((option for option in admitted if isinstance(option, Choice)), None)
    if (known := OTHER.get(use.key, OTHER.get(use.key.rpartition(".")[2]))) is not None:
        yield changed(use, {use.key: known})
    elif choice is not None:
        kinds = (kind for kind in choice.registry if kind != getattr(present, "kind", None))
        yield from (changed(use, choosing(use.key, kind)) for kind in kinds)
    elif type(None) in admitted and isinstance(present, Options):
        yield changed(use, {use.key: None})
    else:
        values = [o for option in admitted for o in another(option, present, names)]
        fitting = [value for value in values if value != present and admits(use.field, value)]
        listed = names or any(get_origin(option) is Literal for option in admitted)
        yield from (changed(use, {use.key: v}) for v in (fitting if listed else fitting[:1]))


def changed(use: Use, settings: Settings) -> Settings:
    """The settings of a use with others on top."""
    return {**{k: v for k, v in use.settings.items() if k not in settings}, **settings}


def another(option: Any, present: Any, names: Sequence[NameOf]) -> list[Any]:
    """Values that a type admits, within whatever bounds."""
    if names:
        return [name for mark in names for name in (*mark.others, *mark.registry)]
    if get_origin(option) is Annotated:
        option, *marks = get_args(option)
        return another(option, None, [mark for mark in marks if isinstance(mark, NameOf)])
    if get_origin(option) is Literal:
        return list(get_args(option))
    if get_origin(option) is list:
        (item,) = get_args(option)
        return [present[:-1]] if present else [[v] for v in another(item, None, [])]
    number = present if isinstance(present, (int, float)) else 2
    return {
        bool: [not present],
        int: [number + 1, number - 1],
        float: [number * 0.5, number + 0.25, number + 1.5],
        str: ["other"],
        dict: [{"other": 1}],
    }.get(get_origin(option) or option, [])


def admits(field: FieldInfo, value: Any) -> bool:
    kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        TypeAdapter(kind, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError:
        return False
    return True


def value_at(config: Any, key: str) -> Any:
    section, *parts = key.split(".")
    if section == "sources":
        config = config.source(parts.pop(0))
    else:
        parts.insert(0, section)
    for part in parts:
        config = config.get(part) if isinstance(config, dict) else getattr(config, part)
    return config


# What a method's file says of itself is read by people: nothing is made of it.
MADE = [use for use in uses() if not use.key.startswith("about.")]


@pytest.mark.parametrize("use", MADE, ids=lambda use: use.id)
def test_another_value_makes_another_object(build: Callable[..., str], use: Use) -> None:
    if use.kind in PACKAGES:
        pytest.importorskip(PACKAGES[use.kind])
    settings = overrides(use.settings)
    present = value_at(load_config(None, settings, use.method), use.key)
    built = [build(use.verb, use.method, tuple(settings))]
    tried = list(others(use, present))
    assert tried, f"{use.id}: no other value is known; name one in OTHER"
    for settings in tried:
        try:
            built.append(build(use.verb, use.method, tuple(overrides(settings))))
        except UniAPLError as error:
            assert use.key in REFUSED, f"{settings[use.key]!r} is refused: {error}"
            assert str(error.key).partition(".")[0] == use.key.partition(".")[0]
    assert len(set(built)) == len(built), f"{use.id} reaches nothing"
