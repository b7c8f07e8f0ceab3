"""uniapl teacher-gen: a config to a teacher's responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from uniapl_cli.appending import read_record
from uniapl_cli.chat import CLOCK, Chat
from uniapl_cli.commands import components
from uniapl_cli.commands.device import announce_arithmetic, arithmetic, use_device
from uniapl_cli.commands.generator import local_generator
from uniapl_cli.commands.inputs import model_input, template_input, without_path
from uniapl_cli.commands.outputs import check_outputs
from uniapl_cli.commands.reads import SECTIONS
from uniapl_cli.commands.servers import server_model, server_record
from uniapl_cli.commands.streams import bad_rows, encoded_prompts, examples
from uniapl_cli.config.schema import Config
from uniapl_cli.loading import load_tokenizer
from uniapl_cli.pipelines.teach import teach, unique_ids
from uniapl_cli.teachers import LocalTeacher, Teacher
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_model
from uniapl_cli.types import Example


def teacher_gen(config: Config, *, dry_run: bool = False) -> dict[str, Any]:
    """Ask the teacher for responses to teach.prompts."""
    named = config.teacher.server is not None and config.teacher.server.model is not None
    config.require("teach", "teacher.server", *([] if named else ["teacher.path"]))
    config.require_filled(*SECTIONS["teacher-gen"])
    options = config.teach
    check_outputs(config, "teacher-gen")
    config = with_date(config)
    teacher, chat = ready_teacher(config)
    with bad_rows(config, dry_run=dry_run) as bad:
        rows = examples(config, "teach.prompts", options.prompts, bad)
        if chat is not None:
            rows = [prompt.example for prompt in encoded_prompts(chat, rows, bad)]
    unique_ids(rows)
    if options.keep_answers:
        rows = [with_reference(row) for row in rows]
    if dry_run:
        here = {} if chat is None else {"computed in": arithmetic(config)}
        responses = len(rows) * options.samples
        return {**here, "prompts": len(rows), "responses": responses, "out": options.out}
    return teach(
        rows,
        teacher,
        options.sampling,
        Path(options.out),
        samples=options.samples,
        seed=config.seed,
        model=teacher_name(config),
        provenance=provenance(config),
        max_failures=options.max_failures,
    )


def with_reference(example: Example) -> Example:
    """Return a prompt whose row has its own answer as `reference`, if it has an answer only."""
    if example.response is None or example.reference is not None:
        return example
    return replace(example, row={**example.row, "reference": example.response})


def with_date(config: Config) -> Config:
    """Return the config with the date that templates write: its own, that of teach.out, today's."""
    if config.chat.date is not None:
        return config
    kept = read_record(Path(config.teach.out)).get("date")
    chat = config.chat.model_copy(update={"date": kept or date.today().isoformat()})
    return config.model_copy(update={"chat": chat})


def ready_teacher(config: Config) -> tuple[Callable[[], Teacher], Chat | None]:
    """Return a function that makes the teacher, and its chat if it is in this process.

    Everything but the weights is checked before.
    """
    server = server_teacher(config)
    if server is not None:
        return lambda: server, None
    location = components.locate(config, "teacher.path", config.teacher.path)
    with config.blaming("teacher.path"):
        # By its own template: chat.template is what the policy learns.
        tokenizer = load_tokenizer(location, config.teacher.revision)
        components.check_fit(location, tokenizer, config.teacher.revision)
        chat = Chat(tokenizer, config.chat.thinking, config.chat.system, config.chat.date)
    return partial(local_teacher, config, location, chat), chat


def local_teacher(config: Config, location: str, chat: Chat) -> Teacher:
    """Load the teacher into this process."""
    teacher, device = config.teacher, use_device(config)
    with config.blaming("teacher.path"):
        model = load_model(
            location,
            device,
            precision=config.precision,
            frozen=True,
            attention=teacher.attention,
            revision=teacher.revision,
        ).eval()
    generator = local_generator(config, model, chat, "teacher.path")
    announce_arithmetic(config)
    return LocalTeacher(generator, chat)


def server_teacher(config: Config) -> Teacher | None:
    """Return the teacher behind a server, if one is named. Raises ConfigError."""
    server = config.teacher.server
    if server is None:
        return None
    name = resolve(teacher_name(config))
    return server_model(config, "teacher.server", server, name, [config.teach.sampling])


def teacher_name(config: Config) -> str:
    """Return the name of the teacher that rows are given."""
    server = config.teacher.server
    return server.model if server is not None and server.model else config.teacher.path


def provenance(config: Config) -> dict[str, Any]:
    """Return what responses depend on besides model's name, seed and sampling."""
    settings = {"thinking": config.chat.thinking, "system": config.chat.system}
    server = config.teacher.server
    if server is None:
        return {**settings, **local_inputs(config)}
    return {**settings, "server": server_record(config, "teacher.server", server)}


def local_inputs(config: Config) -> dict[str, Any]:
    """Return digests of the model and its template, and the date, if the template writes it."""
    model = model_input(config.teacher.path, config.teacher.revision)
    location = components.model_location(config.teacher.path)
    tokenizer = load_tokenizer(location, config.teacher.revision)
    inputs = {"weights": model, "template": template_input(tokenizer)}
    digests: dict[str, Any] = {name: without_path(record) for name, record in inputs.items()}
    if CLOCK in str(tokenizer.chat_template):
        digests["date"] = config.chat.date
    return digests
