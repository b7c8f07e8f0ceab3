"""What is read for choices and for labels, and what is refused before anything is loaded."""

import json
import logging

import pytest

from uniapl_cli.build.data import check_columns
from uniapl_cli.build.filtering import filter_gt
from uniapl_cli.build.streams import fit_streams, make_streams
from uniapl_cli.build.training import train
from uniapl_cli.chat import Chat
from uniapl_cli.errors import ConfigError, DataError, RunError
from uniapl_cli.files import write_rows
from uniapl_cli.training.preferences import Choices
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


def method(*sources):
    return Plan([Term(source, source, lambda scales: 1.0, print) for source in sources], {})


@pytest.fixture
def read(tiny_config, tmp_path):
    """read(sources, rows, *overrides): the config and the streams."""

    def make(sources, rows, *overrides):
        write_rows(tmp_path / "rows.jsonl", rows)
        given = f"data.preferences={tmp_path / 'rows.jsonl'}"
        config = tiny_config("sft", "run", given, "training.preferences=3", *overrides)
        return config, make_streams(config, method(*sources))

    return make


@pytest.mark.parametrize(
    ("sources", "rows"),
    [(["choices"], PAIRS), (["labels"], LABELS), (["choices", "labels"], PAIRS)],
)
def test_choices_and_labels_draw_from_the_same_stream(read, sources, rows):
    _, streams = read(sources, rows)
    assert list(streams) == ["preferences"]
    assert len(streams["preferences"].next()) == 3


def test_the_stream_goes_on_where_it_was(read):
    (_, one), (_, other) = read(["choices"], PAIRS), read(["choices"], PAIRS)
    one["preferences"].next()
    other["preferences"].load_state_dict(one["preferences"].state_dict())
    assert one["preferences"].next() == other["preferences"].next()
    fewer = read(["choices"], PAIRS[:4])[1]["preferences"]
    with pytest.raises(RunError, match="'preferences' had 5 rows .* and has 4 now"):
        fewer.load_state_dict(one["preferences"].state_dict())


SAME = [{**row, "prompt": "Say it."} for row in LABELS]
REFUSED = {
    "a prompt alone": ("choices", PROMPTS, 1, "no rejected answer, and term 'choices' compares"),
    "a row of another layout": ("choices", [PAIRS[0], LABELS[0]], 2, "'chosen' is needed; got"),
    "a label": ("choices", LABELS, 1, "no chosen answer, .* with a label are for KTO"),
    "no answer": ("labels", [{"prompt": "Say it."}], 1, "no answer, and term 'labels' learns"),
    "one prompt": ("labels", SAME, 1, "all rows have the same prompt, and term 'labels' holds"),
    "no label": ("labels", [LABELS[0], {**LABELS[1], "label": 1}], 2, "'label' must be true"),
}


@pytest.mark.parametrize(("source", "rows", "line", "said"), REFUSED.values(), ids=REFUSED)
def test_rows_that_lack_what_the_source_needs_are_named(read, source, rows, line, said):
    with pytest.raises(DataError, match=f"rows.jsonl:{line}: {said}"):
        read([source], rows)


def test_pairs_of_one_prompt_are_choices_all_the_same(read):
    read(["choices"], [{**row, "prompt": "Say it."} for row in PAIRS])


def test_one_row_has_no_other_to_be_held_against(read):
    with pytest.raises(ConfigError, match="training.preferences = 1: term 'labels' holds each"):
        read(["labels"], LABELS, "training.preferences=1")
    read(["choices"], PAIRS, "training.preferences=1")


def test_data_that_are_not_named_are_asked_for(tiny_config):
    config = tiny_config("sft", "run", "data.preferences=null")
    with pytest.raises(ConfigError, match="data.preferences is not set, and term 'choices' draws"):
        make_streams(config, method("choices"))


def test_a_step_without_rows_is_refused(tiny_config):
    with pytest.raises(ConfigError, match="training.preferences = 0: 1 is the least"):
        train(tiny_config("sft", "run", "training.preferences=0"), dry_run=True)


@pytest.mark.parametrize("source", ["choices", "labels"])
@pytest.mark.parametrize("longer", ["chosen", "rejected"])
def test_the_limits_are_those_of_both_answers(read, new_policy, caplog, source, longer):
    rows = [*PAIRS[:2], {**PAIRS[2], longer: "so " * 90}]
    limit = "data.max_response_tokens=80"
    name = {"chosen": "response", "rejected": "rejected response"}[longer]
    config, streams = read([source], rows, limit)
    with pytest.raises(DataError, match=f"rows.jsonl:3: the {name} has .* tokens, data.max_res"):
        fit_streams(config, method(source), new_policy(), streams)
    config, streams = read([source], rows, limit, "data.overlong=drop")
    with caplog.at_level(logging.WARNING, "uniapl"):
        fit_streams(config, method(source), new_policy(), streams)
    assert "1 of 3 rows are too long and were left out" in caplog.text
    assert [e.rejected for e in streams["preferences"].items] == [r["rejected"] for r in rows[:2]]


def test_a_rejected_answer_may_be_long_where_only_the_good_one_is_imitated(read, new_policy):
    rows = [{**PAIRS[0], "rejected": "so " * 90}]
    config, streams = read(["choices"], rows, "data.max_response_tokens=80")
    streams["demonstrations"] = streams.pop("preferences")
    fit_streams(config, method("demonstrations"), new_policy(), streams)


@pytest.fixture
def filtered(tiny_config, tmp_path):
    """filtered(files, *overrides): the config whose filter has read them, and its counts."""

    def make(files, *overrides):
        responses, found = tmp_path / "responses.jsonl", tmp_path / "pairs.jsonl"
        responses.write_text("".join(file.read_text() for file in files))
        filtering = [f"filter.responses={responses}", f"filter.out={tmp_path / 'kept.jsonl'}"]
        filtering += ["filter.rejected=null", f"filter.pairs={found}"]
        config = tiny_config("sft", "run", *filtering, f"data.preferences={found}", *overrides)
        return config, filter_gt(config)

    return make


def test_verified_responses_become_pairs_to_learn_from(filtered, tiny_data, tokenizer):
    """filter-gt -> pairs -> choices: what is chosen passes its constraints, the rest does not."""
    config, counts = filtered([tiny_data["good"], tiny_data["poor"]], "training.preferences=16")
    assert counts["pairs"] > counts["prompts without a pair"]
    items = (stream := make_streams(config, method("choices"))["preferences"]).items
    assert len(items) == counts["pairs"]
    prompts = {json.loads(line)["prompt"] for line in tiny_data["good"].read_text().splitlines()}
    assert {item.prompt_text for item in items} <= prompts
    judge = Judge()
    for name, expected in {"response": True, "rejected": False}.items():
        cases = [Case(getattr(item, name), item.constraints) for item in items]
        assert {verdict.passed for verdict in judge(cases)} == {expected}
    chat, drawn = Chat(tokenizer), stream.next()
    answers = Choices("preferences", chat).draw(drawn, 0, [], lambda count: []).batch.answers
    texts = [
        chat.text(tokens[1:][mask].tolist())
        for tokens, mask in zip(answers.tokens, answers.mask, strict=True)
    ]
    assert texts == [item.response for item in drawn] + [item.rejected for item in drawn]


def test_pairs_are_prompts_to_verify_and_responses_to_filter(filtered, tiny_data, tmp_path):
    config, counts = filtered([tiny_data["good"], tiny_data["poor"]])
    items = make_streams(config, method("choices"))["preferences"].items
    check_columns(items, {"constraints": True, "teacher": True}, "a rollouts' term")
    config.filter.responses, config.filter.pairs = config.filter.pairs, None
    again = filter_gt(config)
    assert (again["kept"], again["rejected"]) == (counts["pairs"], 0)


def test_two_things_are_not_written_into_one_file(filtered, tiny_data, tmp_path):
    for taken, what in {"kept": "kept rows", "rejected": "rejected rows"}.items():
        given = [f"filter.{key}={tmp_path / key}.jsonl" for key in ("pairs", "rejected")]
        given[0] = f"filter.pairs={tmp_path / taken}.jsonl"
        with pytest.raises(DataError, match=f"{what} and pairs cannot share .*: set filter.pairs"):
            filtered([tiny_data["good"]], *given)
    assert not (tmp_path / "kept.jsonl").exists()
