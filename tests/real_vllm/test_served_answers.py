"""`teacher-gen` and `eval` of models behind a real vLLM: the same answers as in this process."""

import json
from pathlib import Path

import pytest

from uniapl_cli import evaluate, load_config, teacher_gen
from uniapl_cli.evaluation.results import RESPONSES
from uniapl_cli.files import read_rows
from uniapl_cli.tiny.assets import resolve

HERE = ("precision=float32", "run.device=cpu", "run.threads=1")


# As a model's generation_config.json may have it; requests must say that they want none of it.
HABITS = json.dumps({"repetition_penalty": 1.8, "top_k": 2, "min_p": 0.5, "temperature": 0.3})


@pytest.fixture
def teacher_server(served):
    words = ("teacher.path=tiny:teacher", "precision=float32")
    return served("teacher", *words, "--vllm-args", f"--override-generation-config '{HABITS}'")


@pytest.fixture
def prompts(tmp_path):
    """prompts(count, repeated): the first shipped prompts, each said several times over."""

    def write(count, repeated=1):
        lines = Path(resolve("tiny:heldout")).read_text("utf-8").splitlines()[:count]
        rows = [json.loads(line) for line in lines]
        rows = [{**row, "prompt": " ".join([row["prompt"]] * repeated)} for row in rows]
        file = tmp_path / "prompts.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return file

    return write


@pytest.fixture
def taught(tmp_path):
    """taught(model, prompts, *overrides): the rows that a teacher answered, greedily by default."""

    def ask(model, file, *overrides):
        out = tmp_path / f"{len([*tmp_path.iterdir()])}.jsonl"
        words = [f"teacher.path={model}", f"teach.prompts={file}", f"teach.out={out}", *HERE]
        words += ["teach.sampling.temperature=0", "teach.sampling.max_new_tokens=48"]
        teacher_gen(load_config(None, [*words, *overrides]))
        return [row.values for row in read_rows(out)]

    return ask


@pytest.fixture
def evaluated(tmp_path):
    """evaluated(model, prompts, *overrides): the shares, and the answers."""

    def measure(model, file, *overrides):
        out = tmp_path / f"ev{len([*tmp_path.iterdir()])}"
        words = [f"eval.model={model}", f"eval.data={file}", f"eval.out={out}", *HERE]
        words += ["eval.draws.greedy.sampling.max_new_tokens=48", "eval.metrics=[ifeval]"]
        found = evaluate(load_config(None, [*words, *overrides]))
        return found, [row.values["response"] for row in read_rows(out / RESPONSES)]

    return measure


def behind(section, server):
    """What to set for a section's model to be the one behind a server."""
    name = server.ready["names"][0]
    return [f"{section}.server.url=http://{server.address}/v1", f"{section}.server.model={name}"]


def answers(rows):
    return [(row["response"], row["finish_reason"]) for row in rows]


def test_a_teacher_answers_as_here(teacher_server, prompts, taught):
    file = prompts(32)
    told = teacher_server.ready["set"].split()
    assert told == behind("teacher", teacher_server)
    theirs = answers(taught("tiny:teacher", file, *told))
    assert theirs == answers(taught("tiny:teacher", file))
    assert len({text for text, _ in theirs}) > 16 and "stop" in {reason for _, reason in theirs}


def test_seeds_do_not_end_the_engine_where_many_prompts_are_read(teacher_server, prompts, taught):
    """More tokens of prompts at a time than a step reads; on a CPU none may be read in pieces."""
    file = prompts(32, repeated=12)  # a few answers to such prompts are empty
    several = ["teach.samples=2", "teach.sampling.temperature=1", "teach.max_failures=16"]
    several += ["teacher.server.concurrency=64", *behind("teacher", teacher_server)]
    assert len(taught("tiny:teacher", file, *several)) >= 48


def test_a_policy_is_measured_as_here(tied_server, prompts, evaluated):
    file = prompts(32)
    found, texts = evaluated("tiny:teacher", file, *behind("eval", tied_server))
    expected, ours = evaluated("tiny:teacher", file)
    assert texts == ours
    assert found["draws"] == expected["draws"]


def test_a_real_model_teaches_as_here(smollm2_server, smollm2, prompts, taught):
    file = prompts(8)
    theirs = answers(taught(smollm2, file, *behind("teacher", smollm2_server)))
    assert theirs == answers(taught(smollm2, file))


def test_a_real_model_is_measured_as_here(smollm2_server, smollm2, prompts, evaluated):
    file = prompts(8)
    found, texts = evaluated(smollm2, file, *behind("eval", smollm2_server))
    expected, ours = evaluated(smollm2, file)
    assert texts == ours
    assert found["draws"] == expected["draws"]
