"""What the benchmarks rest on: requests, arithmetic, medians, engines that fail, their table."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM

from uniapl_cli.tiny.assets import resolve

ROOT = Path(__file__).parent.parent
REQUESTS = [json.loads(line) for line in (ROOT / "benchmarks/requests.jsonl").open()]


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def test_the_requests_are_as_the_readme_says():
    lengths = [row["new_tokens"] for row in REQUESTS]
    assert len({row["key"] for row in REQUESTS}) == len(REQUESTS) == 64
    assert min(lengths) >= 8 and max(lengths) <= 256
    assert f"{sum(lengths):,} tokens" in (ROOT / "benchmarks/README.md").read_text()


def test_operations_are_those_that_torch_counts():
    """A prompt of one token, so that no attention is over what is masked; then token by token."""
    from benchmarks.engines.job import operations

    config = AutoConfig.from_pretrained(resolve("tiny:teacher"))
    new = 5
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            cache = None
            for _ in range(new):
                output = model(torch.ones(1, 1, dtype=torch.long), past_key_values=cache)
                cache = output.past_key_values
    counted = counter.get_total_flops()
    said = operations(config, [{"prompt_ids": [1], "new_tokens": new}])
    assert said == pytest.approx(counted, rel=1e-4)  # some transformers multiply rotary angles


def line(contestant, number, **figures):
    memory = {"peak_gib": 1, "extra_gib": 0, "others": 0}
    return {"contestant": contestant, "round": number, "cpu_seconds": 1, **memory, **figures}


def test_rounds_become_medians_and_ratios_of_the_same_round():
    from benchmarks.race import summary

    lines = [line("ours", n, seconds=1, cpu_seconds=s) for n, s in enumerate((1, 2, 9))]
    lines += [line("peer", n, seconds=1, cpu_seconds=s) for n, s in enumerate((2, 2, 27))]
    lines += [line("steps", 0, seconds=9, cpu_steps=[4, 4, 40], steps=[5, 5, 50])]
    lines += [line("broken", 0, seconds=1, error="it failed")]
    found = summary(lines, {"ours": "", "peer": "as it comes", "steps": "", "broken": ""})
    assert list(found) == ["ours", "peer", "steps"] and found["peer"]["settings"] == "as it comes"
    assert (found["ours"]["cpu_seconds"], found["ours"]["cpu_range"]) == (2, [1, 9])
    assert (found["peer"]["times"], found["peer"]["times_range"]) == (2, [1, 3])
    assert (found["steps"]["cpu_seconds"], found["steps"]["seconds"]) == (4, 5)
    assert found["steps"]["times"] == 4 and "times" not in found["ours"]


def test_parts_of_steps_are_medians_too():
    from benchmarks.race import summary

    lines = [line("ours", n, seconds=1, parts={"update": [1, 2, 9 + n]}) for n in range(3)]
    assert summary(lines, {"ours": ""})["ours"]["parts"] == {"update": 2}


def test_speeds_are_of_medians_and_of_the_best_matrix_rate():
    from benchmarks.engines.job import Job
    from benchmarks.generation import speeds

    job = Job("", [{"prompt_ids": [1], "new_tokens": 100}], gflop=60.0)
    lines = [line("ours", n, seconds=s, value=100) for n, s in enumerate((1, 2, 9))]
    lines += [line("matrix", n, seconds=1, gflops={"plain": 20, "packed": g}) for n, g in [(0, 40)]]
    lines.append(line("continuous", 0, seconds=1, error="it failed"))
    found = speeds(job, lines)["speeds"]
    assert set(found) == {"ours", "matrix_gflops"}
    assert (found["ours"]["tokens_per_second"], found["ours"]["of_matrix_rate"]) == (50, 0.75)


def test_children_count_and_those_that_have_ended_as_well():
    from benchmarks.engines.contestant import Contestant

    burn = "import time\nwhile time.process_time() < 0.3: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); print('x')"
    command = [sys.executable, "-c", code + "; input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        spent = Contestant.cpu_seconds(SimpleNamespace(process=process))
        process.stdin.close()
    assert spent >= 0.25


def test_an_engine_that_fails_says_why(tmp_path):
    from benchmarks.engines.contestant import Contestant, EngineFailed

    job = tmp_path / "job.json"
    job.write_text("{}")
    contestant = Contestant(sys.executable, "nothing", job, tmp_path / "log", limit=60)
    with pytest.raises(EngineFailed, match="No module named 'benchmarks.engines.nothing'"):
        contestant.answer()
    assert contestant.process.poll() is not None


@pytest.mark.slow
def test_our_engine_makes_responses_of_the_lengths_asked_for(tmp_path):
    from benchmarks.engines.contestant import Contestant

    job = tmp_path / "job.json"
    lengths = [3, 9, 1, 5]
    requests = [
        {"prompt_ids": [5, 6, 7][:n], "new_tokens": new}
        for n, new in zip((3, 1, 2, 3), lengths, strict=True)
    ]
    content = {"model": resolve("tiny:teacher"), "dtype": "bfloat16", "requests": requests}
    job.write_text(json.dumps(content))
    contestant = Contestant(sys.executable, "ours", job, tmp_path / "log", limit=120)
    try:
        assert "torch" in contestant.answer()["versions"]
        figures = contestant.work()
    finally:
        contestant.end()
    assert figures["value"] == sum(lengths)
    assert figures["cpu_seconds"] > 0


@pytest.mark.slow
def test_growth_is_measured_and_plotted(tmp_path):
    out = tmp_path / "growth.json"
    words = ["-m", "benchmarks.generation_growth", "--sizes", "48", "--out", out]
    subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, check=True)
    runs = json.loads(out.read_text())["runs"]
    for run in runs:
        assert run["never_ended"] == 0
        assert 0 < run["cache_of_budget"] <= 1
        # It waits for nobody behind it in the queue.
        assert run["starts_late"] <= 0
    plot = ElementTree.parse(out.with_suffix(".svg")).getroot()
    assert len(plot.findall("{http://www.w3.org/2000/svg}circle")) > len(runs)


REHEARSALS = (
    "sft_step --only ours,module",
    "grpo_step --only ours",
    "vocabulary --only ours,naive,torch_fused --heats loss",
    "polar_scoring --only ours,padded_by_length --heats short",
    "verification --only ours --heats ifeval",
)


@pytest.mark.slow
@pytest.mark.parametrize("words", REHEARSALS)
def test_what_is_compared_agrees(words, tmp_path):
    out = tmp_path / "result.json"
    name, *options = words.split()
    command = [sys.executable, "-m", f"benchmarks.{name}", "--small", "--out", out, *options]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    result = json.loads(out.read_text())
    (heat,) = result["heats"].values()
    found = heat["summary"]
    assert list(found) == options[1].split(",")
    assert all(one["cpu_seconds"] > 0 and one["peak_gib"] > 0 for one in found.values())
    ours, *others = (one["value"] for one in found.values())
    assert others == pytest.approx([ours] * len(others), rel=1e-4)
    if name == "grpo_step":
        assert set(found["ours"]["parts"]) == {"generate", "reward", "update"}


@pytest.mark.parametrize(
    ("theirs", "gap", "told"),
    [
        ([3, 1, 2], 1e-5, {"position": 1, "tokens": [4, 1], "tie": True}),
        ([3, 1, 2], 1e-3, {"position": 1, "tokens": [4, 1], "tie": False}),
        ([3, 0, 2], 1e-5, {"position": 1, "tokens": [4, 0], "tie": False}),
        ([3], 1e-5, {"position": 1, "tokens": [4, None], "tie": False}),
    ],
    ids=["a tie", "too far apart", "not the first two", "one ends"],
)
def test_greedy_answers_may_part_at_ties_alone(theirs, gap, told):
    """Told by the logits behind what both have, in two dtypes, whose rounding is 1e-5 at most."""
    from benchmarks.greedy_texts import parting

    exact = torch.tensor([-9, 5 - gap, 0, 0, 5], dtype=torch.float64)
    asked = []

    def logits(ids, dtype):
        asked.append(ids)
        return exact + torch.tensor([1e-5, 0, 0, 0, -1e-5]) * (dtype == torch.float32)

    found = parting(SimpleNamespace(logits=logits), [7, 8], (3, 4, 2), theirs)
    assert {key: found[key] for key in told} == told
    assert all(ids == [7, 8, 3] for ids in asked)
    assert ("gap" in found) == (None not in found["tokens"])


@pytest.mark.slow
def test_greedy_answers_of_eval_are_those_of_generate(tmp_path):
    """On a tiny model; also told are the answers that an evaluation kept."""
    (tmp_path / "ifeval").mkdir()
    asked = ["Tell me about the harbour.", "Hi", "Write about the garden. Do not use any commas."]
    rows = [
        {"key": number, "prompt": text, "instruction_id_list": [], "kwargs": []}
        for number, text in enumerate(asked)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "ifeval/input_data.jsonl").write_text(lines)
    answers, out = tmp_path / "answers.jsonl", tmp_path / "result.json"
    answers.write_text(json.dumps({"id": "1", "response": "nobody says so"}) + "\n")
    words = ["tiny:base", tmp_path, "--prompts", "2", "--new", "24", "--out", out]
    words = [sys.executable, "-m", "benchmarks.greedy_texts", *words, "--answers", answers]
    subprocess.run(words, cwd=ROOT, capture_output=True, check=True)
    result = json.loads(out.read_text())
    assert result["prompts"] == result["equal"] + len(result["parted"]) == 2
    assert result["alike"] == {"prompts": True, "stops": True}
    assert 2 <= result["tokens"] <= 48
    assert result["kept"] == {"answers": 1, "equal": 0}
    assert shlex.split(result["command"])[3:] == [str(word) for word in words[3:]]


def test_one_that_fails_is_out_and_the_others_go_on(tmp_path):
    from benchmarks.race import Entry, Heat, Race

    entries = {"none": Entry("nothing"), "nor": Entry("nothing_either")}
    race = Race(Heat({}, entries), 3, 60, tmp_path)
    race.run()
    assert [entry["contestant"] for entry in race.lines] == ["none", "nor"]
    assert all("No module named" in entry["error"] for entry in race.lines)


RESULTS = sorted((ROOT / "benchmarks/results").glob("*.json"))


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.name)
def test_results_name_no_folder_of_a_machine_and_no_server(file):
    assert not re.findall(r'(?:^|[\s"=:])/(?:\w+/)|https?:|\berror\b', file.read_text("utf-8"))


def test_the_table_is_of_the_results():
    from benchmarks.table import table

    assert table() in (ROOT / "benchmarks/README.md").read_text("utf-8")


def vllm_env(*arguments):
    command = [sys.executable, ROOT / "benchmarks/vllm_env.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_vllms_environment_is_not_made_over_something_else(tmp_path):
    (tmp_path / "mine").touch()
    done = vllm_env(tmp_path)
    assert done.returncode and done.stderr.count("\n") == 1 and str(tmp_path) in done.stderr


def test_what_pip_refuses_is_one_line_and_nothing_counts_as_done(tmp_path):
    environment = tmp_path / "env"
    (environment / "bin").mkdir(parents=True)
    (environment / "pyvenv.cfg").touch()
    (environment / "bin" / "pip").touch()
    python = environment / "bin" / "python"
    python.write_text(
        "#!/bin/sh\necho 'ERROR: no matching distribution' >&2; echo hint >&2; exit 1\n"
    )
    python.chmod(0o755)
    for _ in range(2):
        done = vllm_env(environment)
        assert done.returncode
        assert done.stderr.count("\n") == 1 and "no matching distribution" in done.stderr


@pytest.mark.slow
def test_what_a_gpu_is_to_run_is_rehearsed_without_errors(tmp_path):
    words = ["--small", "--device=cpu", f"--work={tmp_path}", "--only=logps,generation,sft,grpo"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/gpu/check.py"), *words],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert not [line for line in lines if "error" in line]
    assert sum(line["what"] == "section done" for line in lines) == 4
