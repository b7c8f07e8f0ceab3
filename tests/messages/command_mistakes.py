"""Mistakes that only a verb can see: files that are not there, models, places to write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mistake import KEYED, PLACED, Mistake, of_command

from uniapl_cli.evaluation.results import VERSION
from uniapl_cli.tiny.assets import resolve

THREADS = "run.device=cpu run.threads=1"
TRAIN = (
    "model.path=tiny:base data.demonstrations=demo.jsonl data.prompts=demo.jsonl "
    f"data.preferences=demo.jsonl training.steps=1 sampling.max_new_tokens=4 run.dir=run {THREADS}"
)
EVAL = f"eval eval.model=tiny:base eval.data=demo.jsonl eval.out=ev {THREADS}"
TEACH = (
    "teacher-gen teacher.path=tiny:teacher teach.prompts=demo.jsonl teach.out=out.jsonl "
    f"teach.sampling.max_new_tokens=4 {THREADS}"
)
COMPOSE = "data compose compose.out=o.jsonl"
FILTER = "filter-gt filter.responses=demo.jsonl filter.out=kept.jsonl"
SCORE = (
    "score discriminator.path=tiny:polar score.input=demo.jsonl score.reference=response "
    f"score.output=response score.out=scored.jsonl {THREADS}"
)
BOTH = "[demo.jsonl,others.jsonl]"
POLAR = (
    "pretrain-polar polar.init=tiny:teacher training.steps=1 run.dir=run "
    f"polar.trajectories={BOTH} polar.heldout={BOTH} {THREADS}"
)
ANALYSE = (
    "analyse.models.a=tiny:base analyse.data=demo.jsonl analyse.out=an teacher.path=tiny:teacher "
    f"analyse.sampling.max_new_tokens=4 {THREADS}"
)
SCORED = "discriminator.path=tiny:polar"
CHECK = "config check"
ROW: dict[str, Any] = {"key": "a", "prompt": "Hi", "response": "So."}
PAIR = {"prompt": "Hi", "chosen": "So.", "rejected": "No."}
TWO = (
    "'terms.choice={source: choices, objective: dpo}' "
    "sources.labels.rows_per_step=2 sources.choices.rows_per_step=1"
)
BARE = {"key": "a", "prompt": "Hi"}
SERVED = "generation.kind=vllm generation.addresses=[127.0.0.1:9] generation.patience=0"
SERVERS = "discriminator.kind=polar_server discriminator.engine=vllm discriminator.retries=0"

HELD_OUT = "validation.every=2 validation.prompts=demo.jsonl"


def train(method: str, more: str = "") -> str:
    return f"train {method} {TRAIN} {more}"


# command -> the fields that its error has
COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "train, nothing given": ("train sft", ("key", "allowed")),
    "teacher-gen, nothing given": ("teacher-gen", ("key", "allowed")),
    "filter-gt, no output": ("filter-gt filter.responses=demo.jsonl", ("key", "allowed")),
    "score, no discriminator": (SCORE.replace("discriminator.path=tiny:polar ", ""), ("key",)),
    "serve, an unknown model": (
        "serve polici model.path=tiny:teacher",
        ("got", "allowed", "suggestion"),
    ),
    "serve, nothing given": ("serve", ("key", "allowed")),
    "serve, heads that vLLM does not compute on a CPU": (
        f"serve model.path=tiny:base {THREADS}",
        ("key", "got", "allowed"),
    ),
    "serve, no vLLM": (f"serve model.path=tiny:teacher --run --vllm absent {THREADS}", ("got",)),
    "serve, a folder of something else": (
        f"serve model.path=tiny:teacher --folder . {THREADS}",
        ("got",),
    ),
    "plan, an unknown card": (
        "plan sft model.path=tiny:base training.steps=1 --gpu h1000",
        ("key", "got", "allowed", "suggestion"),
    ),
    "plan, no config.json": (
        "plan sft model.path=. training.steps=1 --gpu 80",
        ("key", "got"),
    ),
    "train, no file of data": (train("sft", "data.demonstrations=null"), KEYED),
    "train, a file of data that is not there": (
        train("sft", "data.demonstrations=absent.jsonl"),
        KEYED,
    ),
    "train, a device that is not there": (train("sft", "run.device=tpu"), KEYED),
    "train, a prompt too long": (train("sft", "data.max_prompt_tokens=3"), PLACED),
    "train, no such folder": (train("sft", "model.path=./absent"), KEYED),
    "train, no such run": (train("sft", "model.path=work/a/final"), KEYED),
    "train, a file for a model": (train("sft", "model.path=demo.jsonl"), KEYED),
    "train, a model that does not ship": (train("sft", "model.path=tiny:bass"), KEYED),
    "train, another kind of model": (train("sft", "model.path=tiny:polar"), KEYED),
    "train, a language model for a discriminator": (
        train("agrpo", "discriminator.path=tiny:base"),
        KEYED,
    ),
    "train, a template that is not known": (train("sft", "chat.template=qwen25"), KEYED),
    "train, a template that is not there": (train("sft", "chat.template=a.jinja"), KEYED),
    "train, an adapter's layer": (train("sft", "'model.adapter={targets: [q_prjo]}'"), KEYED),
    "train, a run directory that is a file": (train("sft", "run.dir=demo.jsonl"), KEYED),
    "train, a folder of something else": (
        "tiny world run --train 2 --heldout 2 --practice 1500; " + train("sft"),
        KEYED,
    ),
    "train, another config's run": (
        f"train sft {TRAIN}; " + train("sft", "seed=1 optim.lr=0.1"),
        KEYED,
    ),
    "validation, nothing to measure": (train("sft", "validation.every=2"), KEYED),
    "validation, never measured": (train("sft", "validation.best=demonstrations/loss"), KEYED),
    "validation, an unknown best": (
        train("sft", f"{HELD_OUT} validation.best=prompts/prompt_stict"),
        ("key", "got", "allowed", "suggestion"),
    ),
    "validation, pairs without a term": (
        train("sft", "validation.every=2 validation.preferences=demo.jsonl"),
        KEYED,
    ),
    "validation, answers too long": (
        train("sft", f"{HELD_OUT} validation.sampling.max_new_tokens=600"),
        KEYED,
    ),
    "validation, a benchmark without rows": (
        train("sft", "validation.every=2 validation.benchmarks=[gsm8k]"),
        KEYED,
    ),
    "eval, an output that is a file": (f"{EVAL} eval.out=demo.jsonl", KEYED),
    "eval, a metric without its discriminator": (f"{EVAL} eval.metrics=[discriminator]", ("key",)),
    "eval, answers too long": (f"{EVAL} eval.draws.greedy.sampling.max_new_tokens=600", ("where",)),
    "train, heads that vLLM does not have": (train("agrpo", f"{SCORED} {SERVED}"), KEYED),
    "train, no vLLM server there": (
        train("agrpo", f"{SCORED} {SERVED} model.path=tiny:teacher"),
        ("where", "got"),
    ),
    "train, a temperature that vLLM does not have": (
        train("agrpo", f"{SCORED} {SERVED} model.path=tiny:teacher sampling.temperature=0.005"),
        KEYED,
    ),
    "train, a vLLM server named twice": (
        train("agrpo", f"{SCORED} {SERVED} generation.addresses=[h:1,http://h:1/]"),
        KEYED,
    ),
    "teacher-gen, a file of something else": (f"{TEACH} teach.out=demo.jsonl", ("got",)),
    "teacher-gen, responses made otherwise": (f"{TEACH}; {TEACH} seed=1", ("got",)),
    "teacher-gen, a dialect that cannot say it": (
        f"{TEACH} teacher.server.url=http://127.0.0.1:9/v1 teacher.server.dialect=openai "
        "teach.sampling.top_k=5",
        KEYED,
    ),
    "teacher-gen, a key that is not set": (
        f"{TEACH} teacher.server.url=http://127.0.0.1:9/v1 "
        "teacher.server.api_key_env=UNIAPL_TEST_ABSENT",
        KEYED,
    ),
    "teacher-gen, every request fails": (
        f"{TEACH} teacher.server.url=http://127.0.0.1:9/v1 teacher.server.retries=0 "
        "teacher.server.concurrency=1 teach.max_failures=100",
        PLACED,
    ),
    "teacher-gen, nobody there": (
        f"{TEACH} teacher.server.url=http://127.0.0.1:9/v1 teacher.server.retries=0 "
        "teacher.server.concurrency=1",
        PLACED,
    ),
    "data fetch, a name that is not there": ("data fetch gsm8k_trian", ("got", "allowed")),
    "data fetch, a hub that is not to be asked": ("data fetch if_multi --out .", ()),
    "data compose, nowhere to write": ("data compose", ("key", "allowed")),
    "data compose, an instruction that is not known": (
        f"{COMPOSE} compose.instructions=[punctuation:no_comas]",
        (*KEYED, "suggestion"),
    ),
    "data compose, an instruction of a benchmark": (
        f"{COMPOSE} compose.instructions=[count:numbers]",
        (*KEYED, "got"),
    ),
    "data compose, no instruction left": (f"{COMPOSE} compose.without=[ifeval,ifevalg]", KEYED),
    "data compose, more at least than at most": (f"{COMPOSE} compose.fewest=4", (*KEYED, "got")),
    "data compose, instructions that do not go together": (
        f"{COMPOSE} compose.instructions=[copy:copy] compose.fewest=2",
        ("key", "got"),
    ),
    "data compose, an output that is an input": (
        f"{COMPOSE} compose.prompts=demo.jsonl compose.out=demo.jsonl",
        KEYED,
    ),
    "data compose, prompts with instructions": (f"{COMPOSE} compose.prompts=demo.jsonl", PLACED),
    "filter-gt, a package that is not installed": (f"{FILTER} sandbox.packages=[nltkk]", ("got",)),
    "filter-gt, an output that is a folder": (f"{FILTER} filter.out=.", KEYED),
    "filter-gt, an output that is an input": (f"{FILTER} filter.rejected=./demo.jsonl", KEYED),
    "filter-gt, two outputs into one file": (f"{FILTER} filter.pairs=kept.jsonl", KEYED),
    "teacher-gen, an output that is no file": (f"{TEACH} teach.out=/dev/null", KEYED),
    "score, an output in a folder that takes none": (f"{SCORE} score.out=/proc/a.jsonl", KEYED),
    "score, a column that is not there": (f"{SCORE} score.output=answer", PLACED),
    "score, a column that is there": (
        f"{SCORE}; {SCORE} score.input=scored.jsonl score.out=twice.jsonl",
        PLACED,
    ),
    "score, rows scored otherwise": (f"{SCORE}; {SCORE} score.centre=true", ("got",)),
    "score, nobody there": (
        f"{SCORE} {SERVERS} discriminator.addresses=[127.0.0.1:9]",
        ("where", "got"),
    ),
    "pretrain-polar, one policy": (f"{POLAR} polar.trajectories=[demo.jsonl]", ("key",)),
    "pretrain-polar, a corruption that is not known": (
        f"{POLAR} sources.comparisons.corruptions=[shuffel]",
        KEYED,
    ),
    "config, a method that is not known": (f"{CHECK} -m grop", ("got", "suggestion")),
    "list, a kind that is not known": ("list objective", ("got", "suggestion")),
    "report, a file that is not there": ("report absent.json", ("got",)),
    "report, another file": ("report demo.jsonl", ("got",)),
    "report, nothing": ("report", ()),
    "report, a table that the paper has not": ("report --table 13", ("got", "allowed")),
    "report, a run that the paper has not": (
        "report 0.6b-gpro=demo.jsonl --table 2",
        ("got", "suggestion"),
    ),
    "report, a table and columns": ("report --table 2 --show greedy/length", ()),
    "report, a format of nothing": ("report demo.jsonl --format csv", ("got",)),
    "analyse, no models": (f"analyse lengths analyse.out=an {THREADS}", ("key",)),
    "analyse, no rows named": (
        f"analyse lengths {ANALYSE} analyse.data=null",
        ("key",),
    ),
    "analyse, nowhere to write": (f"analyse lengths {ANALYSE} analyse.out=???", ("key", "allowed")),
    "analyse, a model that is not there": (
        f"analyse lengths {ANALYSE} analyse.models.a=./a",
        KEYED,
    ),
    "analyse, a name that no file can have": (
        f"analyse lengths {ANALYSE} analyse.models.a/b=c",
        (),
    ),
    "analyse, no teacher": (f"analyse logprobs {ANALYSE} teacher.path=???", ("key", "allowed")),
    "analyse, a teacher behind a server": (
        f"analyse logprobs {ANALYSE} teacher.server.url=http://127.0.0.1:9/v1",
        ("key",),
    ),
    "analyse, no discriminator": (f"analyse agreement {ANALYSE}", ("key",)),
    "compare, nothing there": ("compare absent absent", ("got",)),
    "page, a folder that is not there": ("page absent", ("got",)),
    "page, a file": ("page demo.jsonl", ("got",)),
    "page, a folder with nothing": ("page .", ("got",)),
    "setup, something else": ("setup punkt", ("got",)),
    "tiny pack, nothing to pack": ("tiny pack absent assets", ("got",)),
    "tiny halve, no model": ("tiny halve absent out", ("got",)),
    "tiny world, a folder that is there": ("tiny world .", ("got",)),
}

# command, rows -> the fields
ROWS: dict[str, tuple[str, list[Any], tuple[str, ...]]] = {
    "train, no responses": (train("sft"), [BARE], PLACED),
    "train, no responses for the anchor": (
        train("agrpo", "discriminator.path=tiny:polar"),
        [{**BARE, "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}],
        PLACED,
    ),
    "train, no constraints": (train("grpo"), [ROW], PLACED),
    "train, no rejected answers": (train("dpo"), [ROW], PLACED),
    "train, no answers": (train("kto"), [BARE], PLACED),
    "train, one prompt": (train("kto"), [ROW, {**ROW, "key": "b"}], PLACED),
    "train, no rows": (train("sft"), [], KEYED),
    "train, no good rows": (
        train("sft", "data.tolerance=2 data.bad_rows=bad.jsonl"),
        ["{"],
        ("where", "key"),
    ),
    "eval, no constraints": (EVAL, [BARE], PLACED),
    "eval, two rows of one id": (EVAL, [ROW, ROW], PLACED),
    "eval, a metric without its responses": (
        f"{EVAL} eval.metrics=[discriminator] discriminator.path=tiny:polar "
        "eval.draws.greedy.sampling.max_new_tokens=2",
        [BARE],
        PLACED,
    ),
    "teacher-gen, another prompt of that id": (
        f"{TEACH}; {TEACH} teach.prompts=others.jsonl",
        [ROW],
        PLACED,
    ),
    "analyse, rows without responses": (
        f"analyse lengths {ANALYSE}",
        [ROW, {**BARE, "key": "b"}],
        PLACED,
    ),
    "analyse, no constraints": (f"analyse agreement {ANALYSE} {SCORED}", [ROW], PLACED),
    "analyse, rows too long": (
        f"analyse logprobs {ANALYSE}",
        [{**ROW, "response": "so " * 2000}],
        PLACED,
    ),
    "analyse, answers of other settings": (
        f"analyse lengths {ANALYSE}; analyse lengths {ANALYSE} seed=1",
        [ROW],
        KEYED,
    ),
    "filter-gt, no responses": (FILTER, [BARE], PLACED),
    "train, two sizes of one stream": (
        train("kto", TWO),
        [PAIR, {**PAIR, "prompt": "Hu"}],
        KEYED,
    ),
    "pretrain-polar, no shared prompt": (POLAR, [{**ROW, "key": "b"}], ("got",)),
    "pretrain-polar, a token that is not there": (
        f"{POLAR} polar.separator=<x>",
        [ROW, ROW],
        ("got",),
    ),
}


def beside_others(command: str, rows: list[Any], fields: tuple[str, ...]) -> Mistake:
    """A command beside rows, and the same id with another prompt in others.jsonl."""
    mistake = of_command(command, *fields, rows=rows)

    def provoke() -> str | None:
        Path("others.jsonl").write_text(json.dumps({**ROW, "prompt": "Ho"}) + "\n")
        return mistake.provoke()

    return Mistake(provoke, fields)


def torn_model() -> None:
    shutil.copytree(resolve("tiny:base"), "model")
    weights = Path("model/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:3000])
    of_command(train("sft", "model.path=model")).provoke()


def damaged_model(damage: Callable[[Path], object]) -> None:
    shutil.copytree(resolve("tiny:base"), "model")
    damage(Path("model"))
    of_command(train("sft", "model.path=model")).provoke()


def no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).unlink()


def absurd(folder: Path) -> None:
    settings = json.loads((folder / "config.json").read_text())
    settings["num_hidden_layers"] = 100_000
    (folder / "config.json").write_text(json.dumps(settings))


def pointer(folder: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\n"
    (folder / "model.safetensors").write_text(text)


def outside(folder: Path) -> None:
    (folder / "model.safetensors").rename("outside.safetensors")
    index = {"weight_map": {"lm_head.weight": "../outside.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def malicious(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"lm_head.weight": shutil.rmtree}, folder / "pytorch_model.bin")


def no_template() -> None:
    shutil.copytree(resolve("tiny:base"), "model")
    Path("model/chat_template.jinja").unlink()
    of_command(train("sft", "model.path=model")).provoke()


def unfinished_run() -> None:
    Path("first").mkdir()
    Path("first/config.yaml").write_text("version: 2\nmethod: sft\n")
    of_command(train("grpo", "model.path=first")).provoke()


def older_run() -> None:
    Path("run").mkdir()
    Path("run/config.yaml").write_text("method: sft\n")
    of_command(train("sft")).provoke()


def evaluated(options: str = "", **fields: Any) -> None:
    """Report the same evaluation twice."""
    draws = {"greedy": {"length": {"mean": 1.0, "se": 0.0}}}
    written = {"version": VERSION, "name": "a", "model": "a", "data": "a", "draws": draws, **fields}
    Path("eval.json").write_text(json.dumps(written))
    of_command(f"report eval.json eval.json {options}").provoke()


def paged(name: str, text: str, options: str = "") -> None:
    """Make the page of a folder with an evaluation, its answers, and one file that is wrong."""
    draws = {"greedy": {"length": {"mean": 1.0, "se": 0.0}}}
    written = {"version": VERSION, "name": "a", "model": "a", "data": "a", "draws": draws}
    Path("eval.json").write_text(json.dumps(written))
    Path(name).write_text(text)
    of_command(f"page . {options}").provoke()


MISTAKES: dict[str, Mistake] = {
    **{name: of_command(line, *fields) for name, (line, fields) in COMMANDS.items()},
    **{name: beside_others(*row) for name, row in ROWS.items()},
    "train, a torn model": Mistake(torn_model, KEYED),
    **{
        f"train, a model {what}": Mistake(partial(damaged_model, damage), (*KEYED, "got"))
        for what, damage in {
            "without a tokenizer": no_tokenizer,
            "of very many layers": absurd,
            "that was not fetched": pointer,
            "with weights outside": outside,
            "with code in its weights": malicious,
        }.items()
    },
    "train, from an unfinished run": Mistake(unfinished_run, KEYED),
    "train, a run of an older version": Mistake(older_run, KEYED),
    "train, no chat template": Mistake(no_template, ("key",)),
    "report, an evaluation of an older version": Mistake(
        lambda: evaluated(version=1), ("got", "allowed")
    ),
    "report, a column that is not there": Mistake(
        lambda: evaluated("--show greedy/lenght"), ("got", "suggestion")
    ),
    "report, one seed twice": Mistake(lambda: evaluated("--over-seeds", name="a-1"), ("got",)),
    "page, an evaluation of an older version": Mistake(
        lambda: paged("eval.json", '{"name": 0, "model": 0, "data": 0, "draws": {}}'),
        ("got", "allowed"),
    ),
    "page, an answer of something else": Mistake(
        lambda: paged("responses.jsonl", '{"response": "So."}\n'), (*PLACED, "got")
    ),
    "page, an analysis of another version": Mistake(
        lambda: paged("lengths.json", '{"kind": "lengths", "version": 9}'), ("got", "allowed")
    ),
    "page, an analysis that is no JSON": Mistake(lambda: paged("lengths.json", "{"), ("got",)),
    "page, onto an input": Mistake(
        lambda: paged("responses.jsonl", "", "--out responses.jsonl"), ("got",)
    ),
    "tiny truth, rows of another world": of_command(
        "tiny truth demo.jsonl out.jsonl", *PLACED, rows=[ROW]
    ),
}
