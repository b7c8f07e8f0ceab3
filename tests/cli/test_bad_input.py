"""A user's mistake: exit code 2, one line that says what to type, and nothing half-written."""

import json
import re
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from uniapl_cli.tiny.assets import resolve

ROW = {"key": "a", "prompt": "Hi", "response": "So.", "instruction_id_list": [], "kwargs": []}


@pytest.fixture
def refused(uniapl, tree):
    """refused(command, message): run it, and check how it is refused."""

    def check(command: str, message: str, *, enough: bool = True) -> None:
        before = tree()
        result = uniapl(command, enough=enough)
        assert result.exit_code == 2, result.output + repr(result.exception)
        told = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
        assert len(told) == 1, result.stderr
        assert re.search(f"^error: {message}", told[0]), told[0]
        assert result.stdout == ""
        assert tree() == before

    return check


FILES = {
    "a: [1": r"exp.yaml:1:\d+: malformed YAML",
    "seed: 1\noptim:\n  lrr: 1\n": r"exp.yaml:3: unknown key 'optim.lrr'. Did you mean 'optim.lr'",
    "sed: 1\n": "exp.yaml:1: unknown key 'sed'. Did you mean 'seed'",
    "training: {steps: many}\n": r"exp.yaml:1: 'training.steps' is 'many' \(str\), expected int",
    "include: absent.yaml\n": "exp.yaml:1: include 'absent.yaml': there is no file",
    "include: exp.yaml\n": "exp.yaml:1: include cycle: exp.yaml -> exp.yaml",
    "chat: {system: '${nope}'}\n": "exp.yaml:1: 'chat.system' cannot be resolved",
    "seed: 1\nseed: 2\n": "exp.yaml:2: duplicate key 'seed'",
    "": "exp.yaml: is empty",
    "terms: {mine: {objective: nll}}\n": "'terms.mine.source' is not set. Type terms.mine.so",
}


@pytest.mark.parametrize("text", FILES, ids=FILES.values())
def test_a_mistake_in_the_file(refused, folder, text):
    (folder / "exp.yaml").write_text(text)
    refused("train sft --config exp.yaml", FILES[text])


def test_a_missing_file_is_told_with_the_nearest(refused, folder):
    (folder / "exp.yaml").write_text("seed: 1\n")
    refused("train sft -c exp.yml", r"config: there is no file 'exp.yml'. Did you mean 'exp.yaml'")


SETTINGS = [
    ("train sft optim.lrr=1", "override 'optim.lrr=1': unknown key .* Did you mean 'optim.lr'"),
    ("train sft seed", "override 'seed': there is no '='. Type key=value, for example seed=1"),
    ("train sft seed=one", r"override 'seed=one': 'seed' is 'one' \(str\), expected int"),
    ("train grop", "unknown method 'grop'. Did you mean 'grpo'"),
    ("train absent.yaml", "config: there is no file 'absent.yaml'"),
    ("train grpo terms.kl.objective=kll", "terms.kl: unknown objective 'kll'. Did you mean 'kl'"),
    ("train grpo terms.kl.source=rollout", "terms.kl: unknown source 'rollout'. Did you mean 'ro"),
    ("train grpo terms.kl.weight=betta_kl", "terms.kl.weight = .*unknown schedule 'betta_kl'. Did"),
    ("train grpo 'terms.kl.weight=1 +'", "terms.kl.weight = '1 .*: not arithmetic; write e.g."),
    ("train grpo terms.kl.weight=beta_kl**2", "terms.kl.weight = .* is not allowed; numbers, sch"),
    ("train grpo terms.preference.params.signal=verify", "terms.preference: unknown signal 'veri"),
    ("train grpo terms.preference.params.eps=1", "terms.preference: .* unknown parameter 'eps'"),
    ("train grpo terms.kl=null terms.preference=null", "no terms: nothing to train"),
    ("train grpo terms.kl.weight=0 terms.preference.weight=0", ".*nothing to train"),
    (
        "train grpo signals.verifier.advantage=grup",
        "signals.verifier.advantage: unknown advantage 'grup'",
    ),
    ("train grpo signals.verifier.scores.coeff={}", ".*unknown score 'coeff'. Did you mean 'coe"),
    ("train grpo signals.verifier.scores.verifier.mode=any", ".*mode = 'any' is not of type 'all'"),
    ("train grpo signals.verifier.scores.verifier.weight=big", "signals.verifier: .*weight"),
    ("train grpo schedules.beta_kl={shape: lin}", "schedules.beta_kl: unknown schedule shape 'li"),
    ("train chord schedules.mu.peak=high", "schedules.mu: .*peak = 'high' is not of type float"),
    ("train agrpo", "the anchor needs a discriminator: set discriminator.path"),
    ("train agrpo discriminator.path=tiny:base", "'.*base' is no POLAR-format discriminator"),
    ("train agrpo discriminator.kind=polra discriminator.path=tiny:polar", "unknown discriminator"),
    ("train agrpo discriminator.path=tiny:poler", "unknown shipped file 'poler'. Did you mean 'p"),
    ("train sft run.device=tpu", "run.device = 'tpu' cannot be used"),
    ("train sft run.threads=0", "run.threads = 0: 1 is the least"),
    ("train sft model.path=tiny:bass", "unknown shipped file 'bass'. Did you mean 'base'"),
    ("train sft model.path=./absent", "no tokenizer in './absent': there is no such folder"),
    ("train sft model.path=demo.jsonl", "no tokenizer in 'demo.jsonl'"),
    ("train sft model.path=tiny:polar", "cannot load .*polar"),
    ("train sft model.dtype=float8", "unknown dtype 'float8'"),
    (
        "train sft model.attention=fast",
        "cannot load .*attn_implementation=.fast.. is not supported",
    ),
    ("train sft training.micro_batch_size=0", "training.micro_batch_size = 0: 1 is the least"),
    ("train sft generation.backend=vlm", "unknown generator 'vlm'. Known: local"),
    ("train sft data.layout=ifevel", "unknown layout 'ifevel'. Did you mean 'ifeval'"),
    ("train sft data.demonstrations=null", "data.demonstrations is not set, and term 'imitation'"),
    (
        "train sft chat.template=qwen25",
        "chat.template: unknown template 'qwen25'. Did you mean 'qw",
    ),
    ("train sft chat.template=a.jinja", "chat.template: cannot read 'a.jinja': No such file"),
    ("train sft data.max_prompt_tokens=3", "demo.jsonl:1: the prompt has .*data.overlong=drop"),
    ("train sft optim.name=adam", "optim.name: unknown optimizer 'adam'. Did you mean 'adamw'"),
    ("train sft optim.lr=fast", "optim.lr = 'fast': a number is needed, or {shape: const"),
    ("train sft optim.lr={shape: cosine}", ".*'peak' is missing. It takes: peak, end = 0"),
    ("train sft optim.betas=[0.9]", ".*optim.betas"),
    ("train sft optim.betas=[0.9,2]", "optim.betas = .*from 0 to below 1"),
    ("train sft optim.lr=-1", "optim.lr falls to -1: 0 is the least"),
    ("train sft optim.muon_lr_ratio=0", "optim.muon_lr_ratio = 0.0: it must be above 0"),
    ("train sft training.max_grad_norm=0", "training.max_grad_norm = 0.0: it must be above 0"),
    ("train sft run.sample_every=-1", "run.sample_every = -1: 0 is the least"),
    ("eval eval.metrics=[]", "eval.metrics is empty: name at least one"),
    ("train grpo sampling.temperature=-1", "sampling.temperature = -1.0: it must be 0 .* or more"),
    ("train grpo sampling.top_p=0", "sampling.top_p = 0.0: it must be above 0 and at most 1"),
    ("train grpo sampling.max_new_tokens=0", "sampling.max_new_tokens = 0: it must be 1 or more"),
    ("train grpo sampling.top_k=5", "sampling: rollouts must be drawn from the policy itself"),
    ("train grpo sampling.max_new_tokens=600", "demo.jsonl:1: .* exceed the model's context of 51"),
    ("eval eval.metrics=[ifevel]", "eval.metrics: unknown metric 'ifevel'. Did you mean 'ifeval'"),
    ("eval eval.metrics=[discriminator]", "the anchor needs a discriminator: set discriminator"),
    ("eval eval.draws.greedy=null", "eval.draws is empty: name at least one"),
    ("eval eval.draws.greedy.samples=0", "eval.draws.greedy.samples = 0: 1 is the least"),
    ("eval eval.limit=0", "eval.limit = 0: 1 is the least"),
    ("eval eval.draws.greedy.sampling.max_new_tokens=600", "demo.jsonl:1: .* context of 512: shor"),
    ("teacher-gen teach.samples=0", "teach.samples = 0: 1 is the least"),
    ("teacher-gen teach.sampling.max_new_tokens=600", "demo.jsonl:1: .* context of 512: shorten"),
    ("filter-gt filter.mode=lax", "override .* 'filter.mode' is 'lax' .*Did you mean 'loose'"),
    (
        "filter-gt filter.rejected=kept.jsonl",
        "kept rows and rejected rows cannot share 'kept.jsonl'",
    ),
    ("pretrain-polar polar.trajectories=[demo.jsonl]", "trajectories of at least two policies"),
    ("pretrain-polar polar.separator=<x>", "the tokenizer of .* has no token '<x>'"),
    ("pretrain-polar polar.corruptions=[shuffel]", "unknown corruption 'shuffel'. Did you mean 's"),
    ("pretrain-polar polar.pairs=0", "polar.pairs = 0: 1 is the least"),
    ("config check -m grpo terms.kl.weight=x", "terms.kl.weight = 'x': unknown schedule 'x'"),
    ("config show optim.lrr=1", "override 'optim.lrr=1': unknown key"),
    ("list objective", "unknown kind 'objective'. Did you mean 'objectives'"),
    ("report absent.json", "'absent.json' is no eval.json that uniapl eval wrote"),
    ("report demo.jsonl", "'demo.jsonl' is no eval.json that uniapl eval wrote"),
    ("setup punkt", "unknown thing to set up 'punkt'. Known: nltk"),
    ("tiny pack absent assets", "'absent/packed/teacher' is missing: run experiments/tiny/recipe"),
    ("tiny halve absent out", ".*absent"),
    ("tiny world demo.jsonl/world", ".*demo.jsonl"),
]


@pytest.mark.parametrize(("command", "message"), SETTINGS)
def test_a_mistake_in_a_setting(refused, command, message):
    refused(command if "{" not in command else quoted(command), message)


def quoted(command: str) -> str:
    head, _, mapping = command.partition("={")
    verb, _, key = head.rpartition(" ")
    return f"{verb} '{key}={{{mapping}'"


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("train sft", ["model.path", "training.steps", "run.dir"]),
        ("eval", ["eval.model", "eval.data", "eval.out"]),
        ("teacher-gen", ["teacher.path", "teach.prompts", "teach.out"]),
        ("filter-gt", ["filter.responses", "filter.out"]),
        ("pretrain-polar", ["run.dir", "polar.init", "training.steps"]),
    ],
)
def test_mandatory_values_are_asked_for_together(refused, command, keys):
    asked = "".join(f"(?=.*{key}=\\.\\.\\.)" for key in keys)
    refused(command, f"{asked}.*not set. Type", enough=False)


ROWS = {
    '{"prompt": "Hi"': r"demo.jsonl:2: not JSON: Expecting ',' delimiter \(column 16\)",
    '["Hi"]': "demo.jsonl:2: a JSON object is needed, got list",
    '{"question": "Hi"}': "demo.jsonl:2: a 'prompt' or 'messages' is needed",
    '{"prompt": 1}': "demo.jsonl:2: 'prompt' must be text, got int",
    json.dumps(ROW): "demo.jsonl:2: id 'a' stands at demo.jsonl:1 too; give each row a 'key'",
    json.dumps({**ROW, "instruction_id_list": ["punctuation:no_comas"], "kwargs": [{}]}): (
        "demo.jsonl:2: unknown instruction .* Did you mean 'punctuation:no_comma'"
    ),
    json.dumps(
        {**ROW, "instruction_id_list": ["detectable_format:number_bullet_lists"], "kwargs": [{}]}
    ): "demo.jsonl:2: .*'num_bullets' is missing. It takes: num_bullets",
    json.dumps(
        {**ROW, "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"commas": 2}]}
    ): "demo.jsonl:2: .*unknown parameter 'commas'",
    json.dumps({**ROW, "key": "b", "prompt": "Hi " * 600}): "demo.jsonl:2: .*context of 512",
}


@pytest.mark.parametrize("verb", ["teacher-gen", "eval"])
@pytest.mark.parametrize("line", ROWS, ids=ROWS.values())
def test_a_bad_row(refused, folder, verb, line):
    (folder / "demo.jsonl").write_text(f"{json.dumps(ROW)}\n{line}\n")
    refused(verb, ROWS[line])


@pytest.mark.parametrize("verb", ["train sft", "eval", "teacher-gen", "filter-gt"])
def test_an_empty_data_set(refused, folder, verb):
    (folder / "demo.jsonl").write_text("\n")
    refused(verb, "'demo.jsonl' has no rows")


@pytest.mark.parametrize("verb", ["train sft", "eval", "teacher-gen", "filter-gt"])
def test_a_missing_data_set(refused, folder, verb):
    (folder / "demo.jsonl").unlink()
    refused(verb, "no such file: 'demo.jsonl'")


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        ("train sft", "no 'response' by the teacher, which term 'imitation' .*teacher-gen"),
        ("train asft discriminator.path=tiny:polar", "no 'response' by the teacher"),
        ("filter-gt", "no 'response' to judge; run uniapl teacher-gen first"),
        ("eval eval.metrics=[discriminator] discriminator.path=tiny:polar", "metric 'discriminat"),
    ],
)
def test_a_missing_response(refused, folder, rows, verb, message):
    lacking = {name: value for name, value in rows[0].items() if name != "response"}
    (folder / "demo.jsonl").write_text(json.dumps(lacking) + "\n")
    refused(verb, f"demo.jsonl:1: {message}")


def test_rows_without_constraints_cannot_be_rewarded(refused, folder):
    (folder / "demo.jsonl").write_text(json.dumps(ROW) + "\n")
    refused("train grpo", "demo.jsonl:1: no constraints, so term 'preference' has nothing to veri")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train sft run.dir=demo.jsonl", "cannot write the run directory 'demo.jsonl'"),
        ("train sft run.dir=demo.jsonl/x", "cannot write the run directory .*run.dir=..."),
        ("eval eval.out=demo.jsonl", "cannot write 'demo.jsonl': .* is no folder"),
        ("teacher-gen teach.out=demo.jsonl/x", "cannot write 'demo.jsonl/x"),
        ("teacher-gen teach.out=demo.jsonl", "'demo.jsonl' was not written by teacher-gen"),
        ("filter-gt filter.out=demo.jsonl/x", "cannot write 'demo.jsonl/x'"),
        ("filter-gt filter.out=folder", "cannot write 'folder': it is a folder"),
        ("filter-gt filter.rejected=folder", "cannot write 'folder': it is a folder"),
        ("tiny world folder", "folder: exists already; name another folder"),
        ("train sft run.dir=folder", "'folder' is not empty and holds no run: choose another run"),
    ],
)
def test_a_place_that_cannot_be_written(refused, folder, command, message):
    (folder / "folder").mkdir()
    (folder / "folder" / "file").touch()
    refused(command, message)


def damaged(folder: Path, damage: str) -> None:
    shutil.copytree(resolve("tiny:base"), folder)
    weights = folder / "model.safetensors"
    if damage == "torn":
        weights.write_bytes(weights.read_bytes()[:3000])
    elif damage == "lacking":
        kept = load_file(weights)
        save_file({k: v for k, v in kept.items() if "norm" not in k}, weights, {"format": "pt"})
    else:
        (folder / damage).write_text("{")


@pytest.mark.parametrize("verb", ["train sft model.path", "eval eval.model"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("torn", "cannot load 'model'"),
        ("lacking", "cannot load 'model'"),
        ("config.json", "no tokenizer in 'model': .*not a valid JSON"),
        ("tokenizer.json", "no tokenizer in 'model'"),
    ],
)
def test_a_damaged_model(refused, folder, verb, damage, message):
    damaged(folder / "model", damage)
    refused(f"{verb}=model", message)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("train sft", "train sft seed=1", "'run' holds a run of another config .seed: 0 -> 1"),
        ("train sft", "train grpo", "'run' holds a run of another config .*another run.dir"),
        ("teacher-gen", "teacher-gen seed=1", "'out.jsonl' holds responses made in another way"),
        (
            "teacher-gen",
            "teacher-gen teacher.path=tiny:base",
            "'out.jsonl' .*set another teach.out",
        ),
        ("teacher-gen", "teacher-gen teach.prompts=others.jsonl", "the prompt of .* is another"),
    ],
)
def test_what_another_command_has_made_is_left_alone(
    uniapl, refused, folder, first, second, message
):
    assert uniapl(first).exit_code == 0
    moved = [{**ROW, "key": f"heldout-{n}"} for n in range(4)]
    (folder / "others.jsonl").write_text("".join(json.dumps(row) + "\n" for row in moved))
    refused(second, f".*{message}")


def test_a_message_is_one_line_whatever_it_quotes(refused, folder):
    row = {**ROW, "instruction_id_list": ["two\nlines"], "kwargs": [{}]}
    (folder / "demo.jsonl").write_text(json.dumps(row) + "\n")
    refused("filter-gt", "demo.jsonl:1: unknown instruction 'two lines'")


def test_a_discriminator_is_refused_before_the_run_is_made(refused, folder):
    shutil.copytree(resolve("tiny:polar"), folder / "polar")
    weights = folder / "polar" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:3000])
    refused("train agrpo discriminator.path=polar", "cannot load 'polar'")


def test_debug_shows_where_an_error_came_from(program, tmp_path):
    result = program(["report", "absent.json", "--debug"], cwd=tmp_path)
    assert result.stderr.startswith("Traceback")
    assert result.stderr.splitlines()[-1].startswith("uniapl_cli.errors.DataError: 'absent.json'")
    assert result.returncode == 1


def test_the_program_exits_as_the_runner_does(program, tmp_path):
    result = program(["report", "absent.json"], cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: 'absent.json'")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["trian"], ["train"], ["eval", "--jsno"], ["tiny", "worlds"]])
def test_an_unknown_verb_or_option_exits_2(program, words, tmp_path):
    result = program(words, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Usage: uniapl" in result.stderr
