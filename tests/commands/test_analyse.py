"""uniapl analyse: what is sampled once, kept, gone on with and refused, and its figures."""

from __future__ import annotations

import json
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from uniapl_cli import load_config
from uniapl_cli.chat import Chat
from uniapl_cli.commands import components
from uniapl_cli.commands.analyse import analyse
from uniapl_cli.errors import UniAPLError
from uniapl_cli.files import write_rows
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_model

ROW = {"key": "a", "prompt": "Hi", "response": "So."}
BARE = {"key": "b", "prompt": "Ho"}
KINDS = ("lengths", "logprobs", "agreement")


def config(data: Any, out: Path, *more: str, limit: int = 6) -> Any:
    common = [
        "analyse.models={base: tiny:base, expert: tiny:teacher}",
        f"analyse.data={data}",
        f"analyse.limit={limit}",
        f"analyse.out={out}",
        "analyse.sampling.max_new_tokens=24",
        "teacher.path=tiny:teacher",
        "discriminator.path=tiny:polar",
        "run.device=cpu",
    ]
    return load_config(None, [*common, *more])


def read(out: Path, kind: str) -> Any:
    return json.loads((out / f"{kind}.json").read_text())


class Loads(list[str]):
    """The models that were loaded, in their order; `beside`: how many others were still there."""

    def __init__(self) -> None:
        self.beside: list[int] = []
        self.models: list[weakref.ref[Any]] = []


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    seen = Loads()
    true = components.model

    def model(config: Any, location: str, *rest: Any, **named: Any) -> Any:
        seen.append(named["key"].rpartition(".")[2])
        seen.beside.append(sum(one() is not None for one in seen.models))
        loaded = true(config, location, *rest, **named)
        seen.models.append(weakref.ref(loaded))
        return loaded

    monkeypatch.setattr(components, "model", model)
    return seen


@pytest.fixture(scope="module")
def done(tiny_data: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all three analyses, two samples a prompt."""
    out = tmp_path_factory.mktemp("analysis")
    for kind in KINDS:
        analyse(config(tiny_data["eight"], out, "analyse.samples=2"), kind)
    return out


def test_lengths_are_those_of_the_texts(done, tokenizer):
    result = read(done, "lengths")
    assert (result["kind"], result["version"], result["unit"]) == ("lengths", 1, "tokens")
    assert result["prompts"] == len(result["ids"]) == len(result["teacher"]["lengths"]) == 6
    for name in ("base", "expert"):
        rows = [
            json.loads(r) for r in (done / "answers" / f"{name}.jsonl").read_text().splitlines()
        ]
        kept = {(row["id"], row["sample"]): row for row in rows}
        order = [kept[id, sample] for id in result["ids"] for sample in range(2)]
        one = result["models"][name]
        stops = [row["finish_reason"] == "stop" for row in order]
        texts = [len(tokenizer.encode(row["response"], add_special_tokens=False)) for row in order]
        assert one["lengths"] == [n + stop for n, stop in zip(texts, stops, strict=True)]
        assert one["cut"] == 1 - sum(stops) / 12
        assert one["mean"] == pytest.approx(sum(one["lengths"]) / 12)
        for distance in ("wasserstein", "ks"):
            found = one[distance]
            assert 0 <= found["low"] <= found["value"] <= found["high"]


def test_a_student_that_is_the_teacher_differs_by_nothing(done):
    result = read(done, "logprobs")
    assert result["responses"] == "rows"
    assert result["samples"] == 1
    expert = result["models"]["expert"]
    assert expert["student"] == expert["teacher"]
    assert expert["difference"]["mean"] == expert["difference"]["sd"] == 0
    base = result["models"]["base"]
    assert base["teacher"] == expert["teacher"]
    assert base["difference"]["mean"] < 0  # the teacher finds what it might have said likelier
    assert len(base["tokens"]) == 6 and all(total < 0 for total in base["student"])


def naive(model: Any, prompt: list[int], response: list[int]) -> float:
    """The total of a response in float64, from the logits of one whole row."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt + response])).logits[0].double()
    logps = torch.log_softmax(logits[len(prompt) - 1 : -1], -1)
    return float(logps[range(len(response)), response].sum())


def test_log_probabilities_are_the_naive_ones_with_the_stop_token(tokenizer, tmp_path):
    """The stop token counts where the response ends, and not where it was cut off."""
    rows = [ROW, {**ROW, "key": "cut", "response": "So it", "finish_reason": "length"}]
    write_rows(tmp_path / "rows.jsonl", rows)
    analyse(config(tmp_path / "rows.jsonl", tmp_path / "out"), "logprobs")
    found = read(tmp_path / "out", "logprobs")["models"]["base"]
    asked = [{"role": "user", "content": "Hi"}]
    how = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": False}
    text = tokenizer.apply_chat_template(asked, **how)
    prompt = tokenizer.encode(text, add_special_tokens=False)
    whole, cut = (tokenizer.encode(row["response"], add_special_tokens=False) for row in rows)
    whole.append(tokenizer.convert_tokens_to_ids("<|im_end|>"))
    for name, of in (("tiny:base", "student"), ("tiny:teacher", "teacher")):
        model = load_model(resolve(name), "cpu").eval()
        expected = [naive(model, prompt, response) for response in (whole, cut)]
        assert found[of] == pytest.approx(expected, rel=1e-5)
    assert found["tokens"] == [len(whole), len(cut)]


def test_agreement_has_verdicts_and_scores_of_all(done):
    result = read(done, "agreement")
    for one in (*result["models"].values(), result["all"]):
        assert one["auc"]["value"] is None or 0 <= one["auc"]["value"] <= 1
    assert result["all"]["responses"] == 24
    assert result["models"]["base"]["prompt"] == [n for n in range(6) for _ in range(2)]
    assert len(result["models"]["base"]["scores"]) == 12


def test_what_is_kept_is_neither_sampled_nor_computed_again(done, loads, tiny_data):
    before = {kind: read(done, kind) for kind in KINDS}
    for kind in KINDS:
        analyse(config(tiny_data["eight"], done, "analyse.samples=2"), kind)
    assert loads == []
    for kind in KINDS:
        assert read(done, kind) == before[kind]


@pytest.mark.slow
def test_more_samples_and_prompts_go_on_from_fewer(tiny_data, tmp_path):
    for name, few in (("grown", True), ("at once", False)):
        out = tmp_path / name
        if few:
            analyse(config(tiny_data["eight"], out, limit=3), "lengths")
        analyse(config(tiny_data["eight"], out, "analyse.samples=2"), "lengths")
    a, b = (read(tmp_path / name, "lengths") for name in ("grown", "at once"))
    assert a["models"] == b["models"]


def test_models_are_loaded_one_after_the_other_each_once(tiny_data, tmp_path, loads):
    own = config(tiny_data["eight"], tmp_path / "own", "analyse.responses=models", limit=3)
    result = analyse(own, "logprobs")
    assert loads == ["base", "expert", "path"]
    assert loads.beside == [0, 0, 0]
    assert result["responses"] == "models"
    analyse(own, "lengths")
    assert loads == ["base", "expert", "path"]
    found = read(tmp_path / "own", "logprobs")["models"]
    assert found["expert"]["difference"]["sd"] == pytest.approx(0, abs=1e-3)
    assert found["base"]["teacher"] != found["expert"]["teacher"]


def test_a_stopped_analysis_goes_on_to_the_same_file(tiny_data, tmp_path, done, monkeypatch):
    from uniapl_cli.evaluation.answers import AnswerFile

    true, rows = AnswerFile._row, []

    def stopped(self, *arguments):
        rows.append(1)
        if len(rows) == 17:  # in the second model's
            raise KeyboardInterrupt
        return true(self, *arguments)

    out = tmp_path / "stopped"
    again = config(tiny_data["eight"], out, "analyse.samples=2")
    with monkeypatch.context() as patch:
        patch.setattr(AnswerFile, "_row", stopped)
        with pytest.raises(KeyboardInterrupt) as caught:
            analyse(again, "lengths")
    assert "goes on" in caught.value.__notes__[0]
    assert not (out / "lengths.json").exists()
    kept = (out / "answers" / "expert.jsonl").read_bytes()
    analyse(again, "lengths")
    assert (out / "answers" / "expert.jsonl").read_bytes().startswith(kept)
    assert read(out, "lengths")["models"] == read(done, "lengths")["models"]


def test_a_dry_run_loads_and_writes_nothing(tiny_data, tmp_path, loads):
    for kind in KINDS:
        told = analyse(config(tiny_data["eight"], tmp_path / "out"), kind, dry_run=True)
        assert told["prompts"] == 6
    assert loads == [] and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "rows", "more", "key"),
    [
        ("lengths", [ROW], ["analyse.models={base: null, expert: null}"], "analyse.models"),
        ("lengths", [ROW, BARE], [], "analyse.data"),
        ("logprobs", [ROW, BARE], [], "analyse.data"),
        ("agreement", [ROW, BARE], [], "analyse.data"),
        ("agreement", [ROW], [], "analyse.data"),
        ("agreement", [ROW], ["discriminator=null"], "discriminator.path"),
        ("lengths", [ROW], ["analyse.data=null"], "analyse.data"),
        ("lengths", [ROW], ["analyse.models.base=./absent"], "analyse.models.base"),
        ("lengths", [ROW], ["analyse.models.base=tiny:polar"], "analyse.models.base"),
        ("logprobs", [ROW], ["teacher.path=./absent"], "teacher.path"),
        ("logprobs", [ROW], ["teacher.path=???"], "teacher.path"),
        ("logprobs", [ROW], ["teacher.server.url=http://127.0.0.1:1/v1"], "teacher.server"),
        ("lengths", [ROW], ["analyse.out=???"], "analyse.out"),
        ("lengths", [{**ROW, "prompt": "so " * 3000}], [], "analyse.data"),
        ("logprobs", [{**ROW, "response": "so " * 3000}], [], "analyse.data"),
        ("lengths", [ROW, ROW], [], "analyse.data"),
    ],
)
def test_mistakes(tmp_path, kind, rows, more, key):
    write_rows(tmp_path / "rows.jsonl", rows)
    with pytest.raises(UniAPLError) as caught:
        analyse(config(tmp_path / "rows.jsonl", tmp_path / "out", *more), kind)
    assert caught.value.key == key
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out/*.json"))


def test_rows_that_do_not_fit_are_left_out_where_asked(tmp_path):
    rows = [ROW, {**ROW, "key": "long", "response": "so " * 3000}]
    write_rows(tmp_path / "rows.jsonl", rows)
    kept = config(tmp_path / "rows.jsonl", tmp_path / "out", "data.overlong=drop")
    assert analyse(kept, "logprobs", dry_run=True)["prompts"] == 1


def test_answers_of_other_settings_are_refused(done, tiny_data):
    for more in ("analyse.sampling.temperature=0.5", "analyse.models.base=tiny:teacher", "seed=1"):
        for dry_run in (True, False):
            with pytest.raises(UniAPLError) as caught:
                changed = config(tiny_data["eight"], done, "analyse.samples=2", more)
                analyse(changed, "lengths", dry_run=dry_run)
            assert caught.value.key == "analyse.out"


def test_models_of_other_tokenizers_are_counted_by_the_first_ones(
    tmp_path, new_tokenizer, tokenizer, caplog
):
    """A model with bytes for tokens: its texts are as long as anybody's, and it is said."""
    from uniapl_cli.tiny.models import new_model

    folder = tmp_path / "bytes"
    bytes_only = new_tokenizer(special=("<|im_end|>",), template=tokenizer.chat_template)
    new_model(bytes_only, hidden=16, layers=1, seed=0).save_pretrained(folder)
    bytes_only.save_pretrained(folder)
    said = "Purple elephants juggle."
    write_rows(tmp_path / "rows.jsonl", [{**ROW, "response": said}])
    models = f"analyse.models={{base: tiny:base, expert: {folder}}}"
    for kind in KINDS[:2]:
        result = analyse(config(tmp_path / "rows.jsonl", tmp_path / "out", models), kind)
    assert read(tmp_path / "out", "lengths")["other_tokenizers"] == ["expert"]
    row = json.loads((tmp_path / "out" / "answers" / "expert.jsonl").read_text())
    cut = row["finish_reason"] == "length"
    count = len(Chat(tokenizer).response_ids(row["response"])) - cut
    assert count != row["response_tokens"]
    assert read(tmp_path / "out", "lengths")["models"]["expert"]["lengths"] == [count]
    tokens = {
        name: one["tokens"] for name, one in read(tmp_path / "out", "logprobs")["models"].items()
    }
    assert tokens["base"] == [len(tokenizer.encode(said)) + 1]
    assert tokens["expert"] != tokens["base"]
    assert result["teacher"] == "tiny:teacher"


def test_the_result_is_no_input(tmp_path):
    write_rows(tmp_path / "rows.jsonl", [ROW])
    with pytest.raises(UniAPLError) as caught:
        analyse(config(tmp_path, tmp_path), "lengths")
    assert caught.value.key == "analyse.out"
