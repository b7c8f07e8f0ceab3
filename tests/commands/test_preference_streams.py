"""What is read for choices and for labels, and what is refused before anything is loaded."""

import json
import logging

import pytest

from uniapl_cli.chat import Chat
from uniapl_cli.commands.filter_gt import filter_gt
from uniapl_cli.commands.streams import make_streams
from uniapl_cli.errors import ConfigError, DataError, RunError
from uniapl_cli.files import write_rows
from uniapl_cli.rewards import check_examples
from uniapl_cli.training.terms import Plan, Term
from uniapl_cli.verifiers import Case, Judge

PAIRS = [
    {"prompt": f"Say {n}.", "chosen": "So it is.", "rejected": "No, never." + " no" * n}
    for n in range(5)
]
LABELS = [
    {"prompt": f"Say {n % 2}.", "completion": "So" + " so" * n, "label": n % 3 > 0}
    for n in range(6)
]
PROMPTS = [{"prompt": "Say it.", "response": "So."}, {"prompt": "Say so.", "response": "So."}]
SIZES = ["sources.choices.rows_per_step=3", "sources.labels.rows_per_step=3"]
CONTEXT = 2048


def method(*sources):
    return Plan([Term(source, source, lambda scales: 1.0, print) for source in sources], {}, 1)


@pytest.fixture
def read(tiny_config, tokenizer, tmp_path):
    """read(sources, rows, *overrides): the streams that are drawn from."""

    def make(sources, rows, *overrides):
        write_rows(tmp_path / "rows.jsonl", rows)
        files = [f"data.{name}={tmp_path / 'rows.jsonl'}" for name in ("preferences", "prompts")]
        config = tiny_config("sft", "run", *files, *SIZES, *overrides)
        return make_streams(config, method(*sources), Chat(tokenizer), CONTEXT)

    return make


@pytest.mark.parametrize(
    ("sources", "rows"),
    [(["choices"], PAIRS), (["labels"], LABELS), (["choices", "labels"], PAIRS)],
)
def test_choices_and_labels_draw_from_the_same_stream(read, sources, rows):
    streams = read(sources, rows)
    assert list(streams) == ["preferences"]
    assert len(streams["preferences"].next()) == 3


def test_sources_of_one_stream_take_as_many_rows(read):
    with pytest.raises(ConfigError) as caught:
        read(["choices", "labels"], PAIRS, "sources.labels.rows_per_step=4")
    assert (caught.value.key, caught.value.got) == ("sources.labels", 4)


def test_the_stream_goes_on_where_it_was(read):
    one, other = (read(["choices"], PAIRS)["preferences"] for _ in range(2))
    one.next()
    other.load_state_dict(one.state_dict())
    assert one.next() == other.next()
    fewer = read(["choices"], PAIRS[:4])["preferences"]
    with pytest.raises(RunError) as caught:
        fewer.load_state_dict(one.state_dict())
    assert (caught.value.got, caught.value.allowed) == (4, ("5",))


SAME = [{**row, "prompt": "Say it."} for row in LABELS]
# rows, and the line of the one that is refused
REFUSED = {
    "a prompt alone": ("choices", PROMPTS, 1),
    "a row of another layout": ("choices", [PAIRS[0], LABELS[0]], 2),
    "a label": ("choices", LABELS, 1),
    "no answer": ("labels", [{"prompt": "Say it."}], 1),
    "one prompt": ("labels", SAME, 1),
    "no label": ("labels", [LABELS[0], {**LABELS[1], "label": 1}], 2),
}


@pytest.mark.parametrize(("source", "rows", "line"), REFUSED.values(), ids=REFUSED)
def test_rows_that_lack_what_the_source_needs_are_named(read, tmp_path, source, rows, line):
    with pytest.raises(DataError) as caught:
        read([source], rows)
    assert (caught.value.file, caught.value.line) == (str(tmp_path / "rows.jsonl"), line)


def test_pairs_of_one_prompt_are_choices_all_the_same(read):
    read(["choices"], [{**row, "prompt": "Say it."} for row in PAIRS])


def test_data_that_are_not_named_are_asked_for(read):
    with pytest.raises(ConfigError) as caught:
        read(["choices"], PAIRS, "data.preferences=null")
    assert caught.value.key == "data.preferences"


@pytest.mark.parametrize("source", ["choices", "labels"])
@pytest.mark.parametrize("longer", ["chosen", "rejected"])
def test_the_limits_are_those_of_both_answers(read, caplog, source, longer):
    rows = [*PAIRS[:2], {**PAIRS[2], longer: "so " * 90}]
    limit = "data.max_response_tokens=80"
    with pytest.raises(DataError) as caught:
        read([source], rows, limit)
    assert (caught.value.line, caught.value.key) == (3, "data.max_response_tokens")
    with caplog.at_level(logging.WARNING, "uniapl"):
        kept = read([source], rows, limit, "data.overlong=drop")["preferences"].items
    assert caplog.records[0].args[:2] == (1, 3)
    assert [item.example.rejected for item in kept] == [row["rejected"] for row in rows[:2]]


def test_an_answer_may_be_long_where_the_policy_does_not_read_it(read):
    """Of the one file that two streams share, each has the limits of its own answers."""
    rows = [PAIRS[0], {**PAIRS[1], "rejected": "so " * 90}]
    limits = ["data.max_response_tokens=80", "data.overlong=drop"]
    streams = read(["rollouts", "choices"], rows, *limits)
    assert {name: len(stream.items) for name, stream in streams.items()} == {
        "prompts": 2,
        "preferences": 1,
    }


@pytest.fixture
def filtered(tiny_config, tmp_path):
    """filtered(files, *overrides): the config whose filter has read them, and its counts."""

    def make(files, *overrides):
        responses, pairs = tmp_path / "responses.jsonl", tmp_path / "pairs.jsonl"
        responses.write_text("".join(file.read_text() for file in files))
        filtering = [f"filter.responses={responses}", f"filter.out={tmp_path / 'kept.jsonl'}"]
        filtering += ["filter.rejected=null", f"filter.pairs={pairs}"]
        config = tiny_config("sft", "run", *filtering, f"data.preferences={pairs}", *overrides)
        return config, filter_gt(config)

    return make


def test_verified_responses_become_pairs_to_learn_from(filtered, tiny_data, tokenizer):
    """filter-gt -> pairs -> choices: what is chosen passes its constraints, the rest does not."""
    size = "sources.choices.rows_per_step=16"
    config, counts = filtered([tiny_data["good"], tiny_data["poor"]], size)
    assert counts["pairs"] > counts["prompts without a pair"]
    chat = Chat(tokenizer)
    stream = make_streams(config, method("choices"), chat, CONTEXT)["preferences"]
    examples = [item.example for item in stream.items]
    assert len(examples) == counts["pairs"]
    prompts = {json.loads(line)["prompt"] for line in tiny_data["good"].read_text().splitlines()}
    assert {example.prompt_text for example in examples} <= prompts
    judge = Judge()
    for name, expected in {"response": True, "rejected": False}.items():
        cases = [Case(getattr(example, name), example.constraints) for example in examples]
        assert {verdict.passed for verdict in judge(cases)} == {expected}
    for item in stream.next():
        assert chat.text(item.response) == item.example.response
        assert chat.text(item.rejected) == item.example.rejected


def test_pairs_are_prompts_to_verify_and_responses_to_filter(filtered, tiny_data, tokenizer):
    config, counts = filtered([tiny_data["good"], tiny_data["poor"]])
    items = make_streams(config, method("choices"), Chat(tokenizer), CONTEXT)["preferences"].items
    check_examples([item.example for item in items], {"constraints", "teacher"}, "a term")
    own = config.filter.model_copy(update={"responses": config.filter.pairs, "pairs": None})
    again = filter_gt(config.model_copy(update={"filter": own}))
    assert (again["kept"], again["rejected"]) == (counts["pairs"], 0)


def test_two_things_are_not_written_into_one_file(filtered, tiny_data, tmp_path):
    for taken in ("kept", "rejected"):
        outputs = [f"filter.{key}={tmp_path / key}.jsonl" for key in ("pairs", "rejected")]
        outputs[0] = f"filter.pairs={tmp_path / taken}.jsonl"
        with pytest.raises(DataError) as caught:
            filtered([tiny_data["good"]], *outputs)
        assert caught.value.key == "filter.pairs"
    assert not (tmp_path / "kept.jsonl").exists()


SAME = {"prompt": "Say 9.", "chosen": "So it is.", "rejected": "So it is."}


@pytest.mark.parametrize("source", ["choices", "labels"])
def test_answers_of_the_same_tokens_are_a_bad_row(read, source, tmp_path):
    rows = [*PAIRS, SAME]
    with pytest.raises(DataError) as caught:
        read([source], rows)
    assert (caught.value.file, caught.value.line) == (str(tmp_path / "rows.jsonl"), 6)
    kept = tmp_path / "bad.jsonl"
    streams = read([source], rows, "data.tolerance=1", f"data.bad_rows={kept}")
    assert len(streams["preferences"].items) == 5
    assert [json.loads(line)["row"] for line in kept.read_text().splitlines()] == [SAME]
    with pytest.raises(DataError):
        read(
            [source],
            [SAME, {**SAME, "prompt": "Say 8."}],
            "data.tolerance=2",
            f"data.bad_rows={kept}",
        )


@pytest.mark.parametrize(("label", "missing"), [(True, "bad"), (False, "good")])
def test_labels_of_one_kind_only_are_warned_of(read, caplog, label, missing):
    with caplog.at_level(logging.WARNING, "uniapl"):
        read(["labels"], [{**row, "label": label} for row in LABELS])
    [warning] = [message for message in caplog.messages if "good and bad" in message]
    assert f"has a {missing} one" in warning
    caplog.clear()
    read(["labels"], LABELS)
    assert not caplog.messages
