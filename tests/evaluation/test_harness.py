"""Tasks of lm-evaluation-harness: our model behind its interface, with and without the package."""

import importlib.util
import json
from types import SimpleNamespace

import pytest

from uniapl_cli.chat import Chat
from uniapl_cli.commands.harness import _numbers
from uniapl_cli.errors import ConfigError, ModelError
from uniapl_cli.evaluation import harness
from uniapl_cli.evaluation.harness import HarnessModel, cut, read_sampling, run_tasks
from uniapl_cli.generation.likelihood import ChoiceRequest, LikelihoodScorer
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.tiny.assets import resolve
from uniapl_cli.training.policy import load_model
from uniapl_cli.types import Completion, Likelihood, Message, Sampling

needs_harness = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None, reason="the harness itself needs uniapl[lm-eval]"
)
WORDS = ("boat", "market garden", "harbour", "old house by the sea")


def asked(*args, task="loc", row=0):
    return SimpleNamespace(args=args, task_name=task, doc_id=row)


class Scorer:
    """Likelihoods by the option's length; the last request is done first."""

    def score(self, requests, progress=None):
        self.requests = requests
        for index, request in reversed(list(enumerate(requests))):
            yield index, [Likelihood(-len(o), 1, o == "a") for o in request.options]


class Generator:
    """Says every prompt's seed and a text, the last request first."""

    def __init__(self, ids):
        self.ids, self.calls = ids, []

    def generate(self, requests, sampling, progress=None):
        self.calls.append((sampling, requests))
        for index, _request in reversed(list(enumerate(requests))):
            yield index, [Completion("", tuple(self.ids), (0.0,) * len(self.ids), "stop")]


@pytest.fixture
def lm(tokenizer):
    ids = tokenizer("The harbour. Question: no")["input_ids"]
    return HarnessModel(Generator([*ids, tokenizer.eos_token_id]), Scorer(), Chat(tokenizer))


def test_options_of_a_context_are_one_request_and_answers_are_in_order(lm):
    kept = []
    lm.cache_hook = SimpleNamespace(add_partial=lambda *told: kept.append(told))
    requests = [asked("x", "abc"), asked("y", "a", row=7), asked("x", "a")]
    assert lm.loglikelihood(requests) == [(-3, False), (-1, True), (-1, True)]
    assert lm.scorer.requests == [
        ChoiceRequest("x", ("abc", "a"), "loc[0]"),
        ChoiceRequest("y", ("a",), "loc[7]"),
    ]
    assert sorted(kept)[0] == ("loglikelihood", ("x", "a"), (-1, True)) and len(kept) == 3
    assert lm.loglikelihood([]) == []


def test_responses_are_cut_and_sampled_as_the_task_says(lm, tokenizer):
    greedy = {"until": ["Question:"], "do_sample": False, "temperature": 0.7, "max_gen_toks": 9}
    drawn = {"until": ".", "do_sample": True, "top_p": 0.9}
    requests = [asked("x", greedy), asked("y", drawn, row=3), asked("x", greedy)]
    assert lm.generate_until(requests) == ["The harbour. ", "The harbour", "The harbour. "]
    (first, twice), (second, once) = lm.generator.calls
    assert first == Sampling(temperature=0.0, max_new_tokens=9)
    assert second == Sampling(temperature=1.0, top_p=0.9, max_new_tokens=256)
    assert once[0].name == "loc[3]" and once[0].prompt_ids == tuple(tokenizer("y")["input_ids"])
    # The same prompt asked again is another draw, and each is the same in another run.
    assert len({twice[0].seeds, twice[1].seeds, once[0].seeds}) == 3
    lm.generate_until(requests)
    assert lm.generator.calls[2:] == lm.generator.calls[:2]


def test_the_text_of_whole_documents_is_refused(lm):
    with pytest.raises(ConfigError) as caught:
        lm.loglikelihood_rolling([asked("text", row=4)])
    assert caught.value.where == "loc[4]"


def test_an_argument_that_is_not_known_is_refused():
    with pytest.raises(ConfigError) as caught:
        read_sampling({"until": [], "num_beams": 4}, "loc[1]")
    assert caught.value.got == "num_beams" and "temperature" in caught.value.allowed


@pytest.mark.parametrize(
    "arguments, temperature",
    [
        ({}, 0),
        ({"temperature": 0.7}, 0.7),
        ({"do_sample": True}, 1),
        ({"do_sample": False, "temperature": 0.7}, 0),
    ],
)
def test_a_task_is_greedy_unless_it_says_that_it_samples(arguments, temperature):
    assert read_sampling(arguments).temperature == temperature


def test_a_response_ends_before_the_first_string_that_ends_it():
    assert cut("a\n\nQ: b", ["Q:", "\n\n", ""]) == "a"
    assert cut("a", None) == cut("a", ["b"]) == cut("ab", "b") == "a"


def test_a_conversation_is_rendered_as_prompts_are(tokenizer):
    turns = [{"role": "user", "content": "Hi"}]
    for chat in (
        Chat(tokenizer),
        Chat(tokenizer, thinking=True),
        Chat(tokenizer, system="Be brief."),
    ):
        lm = HarnessModel(None, None, chat)
        text = lm.apply_chat_template(turns)
        assert text == chat.render([Message("user", "Hi")])
        begun = lm.apply_chat_template([*turns, {"role": "assistant", "content": "So"}], False)
        assert begun.endswith("So")


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(harness.importlib.util, "find_spec", lambda _name: None)
    harness.model_class.cache_clear()
    for call in (harness.model_class, lambda: run_tasks(None, ["mmlu"])):
        with pytest.raises(ModelError) as caught:
            call()
        assert "uniapl[lm-eval]" in str(caught.value)


@pytest.fixture(scope="module")
def tiny(tokenizer):
    model = load_model(resolve("tiny:base"), "cpu")
    chat = Chat(tokenizer)
    new = harness.model_class()
    return new(LocalGenerator(model, chat), LikelihoodScorer(model, tokenizer), chat)


@pytest.fixture(scope="module")
def theirs(tiny, tokenizer):
    """The harness's own class, with the same model."""
    from lm_eval.models.huggingface import HFLM

    model = tiny.generator.model
    options = {"batch_size": 4, "device": "cpu", "enable_thinking": False}
    return HFLM(pretrained=model, tokenizer=tokenizer, **options)


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """A folder of three tasks: letters, texts, responses."""
    folder = tmp_path_factory.mktemp("tasks")
    rows = [
        {"question": f"What is number {n} of the {WORDS[n % 4]}?", "options": WORDS, "gold": n % 4}
        for n in range(50)
    ]
    data = folder / "rows.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    plain = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data), "dev": str(data)}},
        "test_split": "test",
        "fewshot_split": "dev",
        "fewshot_config": {"sampler": "first_n"},
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_target": "{{gold}}",
    }
    choice = {**plain, "output_type": "multiple_choice"}
    choice["metric_list"] = [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}]
    spoken = {**plain, "output_type": "generate_until", "doc_to_target": "x"}
    spoken["generation_kwargs"] = {"until": ["."], "do_sample": False, "max_gen_toks": 12}
    spoken["metric_list"] = [{"metric": "exact_match"}]
    files = {
        "letters": {**choice, "doc_to_choice": list("ABCD")},
        "texts": {**choice, "doc_to_choice": "{{options}}"},
        "spoken": spoken,
    }
    for name, task in files.items():
        (folder / f"{name}.yaml").write_text(json.dumps({"task": name, **task}))
    return folder


def answers(result, task):
    samples = sorted(result["samples"][task], key=lambda sample: sample["doc_id"])
    return [sample["resps"] for sample in samples], [sample.get("acc") for sample in samples]


@needs_harness
@pytest.mark.parametrize("options", [{}, {"shots": 3}, {"shots": 1, "chat": True}])
def test_the_harness_decides_as_with_its_own_class(
    tiny, theirs, tasks, options, monkeypatch, tmp_path
):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    names = ["letters", "texts"]
    ours, own = (run_tasks(lm, names, include_path=tasks, **options) for lm in (tiny, theirs))
    for name in names:
        (found, decided), (expected, decisions) = answers(ours, name), answers(own, name)
        assert decided == decisions and len(decided) == 50
        for row, other in zip(found, expected, strict=True):
            for (a,), (b,) in zip(row, other, strict=True):
                assert float(a[0]) == pytest.approx(float(b[0]), abs=1e-3)
                assert str(a[1]) == str(b[1])


@needs_harness
def test_the_harness_gets_the_responses_of_its_own_class(tiny, theirs, tasks):
    ours, own = (run_tasks(lm, ["spoken"], include_path=tasks, limit=6) for lm in (tiny, theirs))
    assert answers(ours, "spoken")[0] == answers(own, "spoken")[0]
    assert len(ours["samples"]["spoken"]) == 6


@needs_harness
def test_contexts_are_encoded_as_the_harness_does(tiny, theirs, tokenizer):
    from uniapl_cli.generation.continuations import encode

    bos = tokenizer.decode(theirs.prefix_token_id)
    for context in ("Question: what?\nAnswer:", "So ", "The har", f"{bos}Hi", "a\n\n"):
        for option in (" A", "bour", "\n", "A B", "答案"):
            assert encode(tokenizer, context, [option]) == (
                (pair := theirs._encode_pair(context, option))[0],
                [pair[1]],
            )


@needs_harness
def test_an_unknown_task_is_named(tiny, tasks):
    with pytest.raises(ConfigError) as caught:
        run_tasks(tiny, ["letter"], include_path=tasks)
    assert caught.value.got == "letter" and "letters" in caught.value.allowed
    assert caught.value.suggestion == "letters"


@needs_harness
def test_what_the_harness_raises_is_one_line(tiny, tasks):
    (tasks / "lost.yaml").write_text(
        json.dumps({"task": "lost", "dataset_path": "json", "output_type": "multiple_choice"})
    )
    with pytest.raises(ConfigError) as caught:
        run_tasks(tiny, ["lost"], include_path=tasks)
    assert "\n" not in str(caught.value)


def test_metrics_that_are_no_numbers_stay_out_of_the_scores():
    found = _numbers({"acc,none": 0.5, "acc_stderr,none": float("nan"), "alias": "x", "yes": True})
    assert found == {"acc,none": 0.5}
