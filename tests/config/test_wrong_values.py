"""Each key of the schema refuses what it is not: exit code 2, one line, with the key and its place.

Through the program's own command line, with the mistake in a file.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
import pytest
import typer
from keys_in_use import Use, line_of, text, uses
from pydantic.fields import FieldInfo
from typer.testing import CliRunner

from uniapl_cli.cli.app import app
from uniapl_cli.config.shape import field_shape
from uniapl_cli.evaluation.benchmarks import benchmarks
from uniapl_cli.registry import Choice, NameOf

pytestmark = pytest.mark.slow

NAN, INFINITE = float("nan"), float("inf")
# Of no type that a key has.
ODD = [{"x": [1]}]
# What each type takes for none of its own. A text takes any scalar, as it is written.
NO: dict[Any, list[Any]] = {
    int: ["many", 1.5, True, NAN, INFINITE],
    float: ["much", True, NAN, -INFINITE],
    bool: [1, "maybe"],
    str: [""],
    list: [3],
    tuple: [3, [0.1], [0.1, NAN]],
    dict: [3],
}
MAY_BE_EMPTY = ("score.prefix", "chat.system")

# The texts that name what is read, and which of it is not there.
READ = {
    "model.path": ["tiny:bass", "./absent", "a/b/absent"],
    "references.mine.path": ["tiny:bass", "./absent"],
    "teacher.path": ["tiny:bass", "./absent"],
    "eval.model": ["tiny:bass", "./absent"],
    "polar.init": ["tiny:bass", "./absent"],
    "discriminator.path": ["tiny:poler", "./absent", "saved"],
    "data.demonstrations": ["absent.jsonl", "absent.parquet", "tiny:trian", "./absent"],
    "data.prompts": ["absent.jsonl"],
    "data.preferences": ["absent.json"],
    "data.split": ["absent"],
    "data.splits.demonstrations": ["absent"],
    "data.splits.prompts": ["absent"],
    "data.splits.preferences": ["absent"],
    "compose.prompts": ["absent.jsonl"],
    "compose.instructions": [["absent"]],
    "compose.without": [["absent"]],
    "teach.prompts": ["absent.jsonl"],
    "filter.responses": ["absent.jsonl"],
    "filter.constraints": ["absent.jsonl"],
    "analyse.data": ["absent.jsonl"],
    "eval.data": ["absent.jsonl"],
    "eval.benchmark_data": ["absent"],
    "eval.contamination.files": [["absent.jsonl"]],
    "validation.prompts": ["absent.jsonl"],
    "validation.demonstrations": ["absent.jsonl"],
    "validation.preferences": ["absent.jsonl"],
    "validation.split": ["absent"],
    "validation.benchmark_data": ["absent"],
    **{
        f"{section}.benchmarks.{name}.data": ["absent.jsonl"]
        for section in ("eval", "validation")
        for name in benchmarks
    },
    "score.input": ["absent.jsonl"],
    "polar.trajectories": [["rows.jsonl", "absent.jsonl"]],
    "polar.heldout": [["rows.jsonl", "absent.jsonl"]],
    "polar.separator": ["<|absent|>"],
    "polar.tail": ["<|absent|>"],
    "chat.template": ["absent.jinja", "qwen25"],
}
# Those that name what is written: none of it can be below a file.
WRITTEN = [
    "run.dir", "data.bad_rows", "compose.out", "teach.out", "filter.out", "filter.rejected",
    "filter.pairs", "eval.out", "score.out", "analyse.out",
]  # fmt: skip
# Those that name no file; what else they may be is checked at load, or by the model's loader.
WORDS = [
    "about.equation", "about.paper", "about.code", "about.settings", "about.note",
    "method", "run.device", "model.revision", "model.attention", "model.adapter.targets",
    "teacher.revision", "teacher.attention", "teacher.server.url", "teacher.server.model",
    "teacher.server.api_key_env", "chat.system", "chat.date", "discriminator.revision",
    "discriminator.attention", "discriminator.model", "discriminator.api_key_env",
    "discriminator.addresses", "terms.mine.source", "terms.mine.objective.reward",
    "terms.mine.objective.reference", "references.mine.revision", "references.mine.of",
    "references.mine.text",
    "terms.mine.weight", "terms.mine.rows", "terms.mine.tokens", "terms.mine.scale",
    *(f"schedules.alpha.{n}" for n in ("p", "measure", "imitation", "reinforcement")),
    "schedules.alpha.disagreement",
    *(f"sources.held_{n}.of" for n in ("demonstrations", "rollouts", "pairs")),
    "sources.held_demonstrations.rows", "sources.held_rollouts.rows",
    "updates.mine.terms", "sources.held_pairs.better", "sources.held_pairs.worse",
    "learners.judge.init", "learners.judge.source", "learners.judge.objective",
    "rewards.mine.functions.learner.name",
    "sources.rollouts.judged_by", "sources.demonstration_rollouts.judged_by",
    *(f"sources.rollouts.prefix.law.{name}" for name in ("share", "low", "high")),
    "eval.name", "eval.revision", "score.prompt", "score.reference", "score.output",
    "score.prefix", "data.layout", "data.layouts.demonstrations", "data.layouts.prompts",
    "data.layouts.preferences", "data.ignore", "sources.comparisons.corruptions",
    "sandbox.packages", "eval.harness.tasks", "eval.harness.include_path", "eval.server.url",
    "eval.server.model", "eval.server.api_key_env", "generation.addresses", "generation.model",
    "generation.api_key_env", "generation.sync.host",
    "validation.best", "run.trackers.wandb.project", "run.trackers.wandb.entity",
    "run.trackers.trackio.project", "data.cache",  # which no run needs
    *(f"{s}.benchmarks.{name}.subsets" for s in ("eval", "validation") for name in benchmarks),
]  # fmt: skip


def wrong(use: Use) -> Iterator[Any]:
    """Values of another type, no numbers, and one beyond each bound."""
    admitted = field_shape(use.field)
    yield ODD
    if type(None) not in admitted and None not in admitted:
        yield None
    for option in admitted:
        if isinstance(option, Choice) or get_origin(option) is Literal:
            yield "zzzz"
        if not isinstance(option, Choice) and use.key not in MAY_BE_EMPTY:
            yield from NO.get(get_origin(option) or option, [])
        if is_text(option) and option is not str:
            yield [""]
    if any(isinstance(mark, NameOf) for mark in use.field.metadata):
        yield "zzzz"
    yield from beyond(use.field.annotation, use.field.metadata)


def is_text(option: Any) -> bool:
    """Whether an alternative is a text or a list of texts."""
    if get_origin(option) in (list, Annotated):
        return is_text(get_args(option)[0])
    return option is str


def beyond(annotation: Any, marks: Any) -> Iterator[Any]:
    """A value beyond each bound of a type, wherever in the annotation it stands."""
    for mark in marks:
        for bound in mark.metadata if isinstance(mark, FieldInfo) else [mark]:
            yield from outside(bound)
    if get_origin(annotation) is Annotated:
        inside, *more = get_args(annotation)
        yield from beyond(inside, more)
    elif get_origin(annotation) is tuple:
        for value in beyond(get_args(annotation)[0], []):
            yield [value] * len(get_args(annotation))
    elif get_origin(annotation) in (typing.Union, types.UnionType):
        for option in get_args(annotation):
            yield from beyond(option, [])


def outside(bound: Any) -> Iterator[Any]:
    """The closest value beyond a bound."""
    match bound:
        case annotated_types.Gt(gt=least):
            yield least
        case annotated_types.Ge(ge=least):
            yield least - 1
        case annotated_types.Lt(lt=most):
            yield most
        case annotated_types.Le(le=most):
            yield most + 1
        case annotated_types.MinLen(min_length=1):
            yield []


@pytest.fixture(scope="module")
def uniapl() -> Iterator[Callable[..., Any]]:
    """uniapl(words): run it in this process. The verbs are put together once."""
    verbs = typer.main.get_command(app)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", lambda _: verbs)
        yield lambda words: CliRunner().invoke(app, words)


@pytest.fixture
def refused(
    uniapl: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """refused(use, value, words): run a command with the key at this value in exp.yaml."""
    monkeypatch.chdir(tmp_path)

    def check(use: Use, value: Any, words: Sequence[str]) -> None:
        others = {k: v for k, v in use.settings.items() if not f"{k}.".startswith(f"{use.key}.")}
        file = text({**others, use.key: value})
        Path("exp.yaml").write_text(file, encoding="utf-8")
        result = uniapl([*words, "--config", "exp.yaml"])
        errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert result.exit_code == 2, f"{value!r}: {result.output} {result.exception!r}"
        assert len(errors) == 1, f"{value!r}: {result.output}"
        assert errors[0].startswith(f"error: exp.yaml:{line_of(file, use.key)}: "), errors[0]
        assert use.key in errors[0]

    return check


@pytest.mark.parametrize("use", uses(), ids=lambda use: use.id)
def test_a_wrong_value_is_refused_in_one_line(refused: Callable[..., None], use: Use) -> None:
    method = [] if use.method is None else ["--method", use.method]
    for value in wrong(use):
        refused(use, value, ["config", "check", *method])


def test_every_text_is_known_to_name_a_file_or_none() -> None:
    texts = {use.key for use in uses() if any(map(is_text, field_shape(use.field)))}
    assert texts == {*READ, *WRITTEN, *WORDS}


@pytest.fixture
def refused_dry(
    refused: Callable[..., None], rows: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """refused_dry(use, value): try the verb itself, beside the rows that its settings name."""
    for path in rows.iterdir():
        Path(path.name).symlink_to(path)

    def check(use: Use, value: Any) -> None:
        more = {"train": [str(use.method)], "analyse": ["logprobs"]}
        words = [*use.verb.split(), *more.get(use.verb, [])]
        Path("exp.yaml").touch()
        before = sorted(Path().iterdir())
        refused(use, value, [*words, "--dry-run"])
        assert sorted(Path().iterdir()) == before

    return check


@pytest.mark.parametrize("use", [u for u in uses() if u.key in READ], ids=lambda use: use.id)
def test_what_is_not_there_is_told_before_anything_is_computed(
    refused_dry: Callable[..., None], use: Use
) -> None:
    for value in READ[use.key]:
        refused_dry(use, value)


@pytest.mark.parametrize("use", [u for u in uses() if u.key in WRITTEN], ids=lambda use: use.id)
def test_what_cannot_be_written_is_told_before_anything_is_computed(
    refused_dry: Callable[..., None], use: Use
) -> None:
    refused_dry(use, "rows.jsonl/below/a/file")
