"""Ids are the same in batches and one by one; rows too long are reported and counted."""

import copy
import logging
from array import array
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uniapl_cli.chat import Chat, read_template
from uniapl_cli.data import BadRows
from uniapl_cli.data import encode as module
from uniapl_cli.data.encode import Encoded, encode
from uniapl_cli.data.limits import Limits, fit
from uniapl_cli.errors import DataError
from uniapl_cli.tiny.tokenizer import THINK
from uniapl_cli.types import Example, Message

CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# As Mistral's: a space stands before each answer.
SPACED = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content | trim }}{{ eos_token }}{% endif %}{% endfor %}"
)
TEXTS = (
    *("The harbour is old.", "", " ", "\n\n- a\n- b\n", "é\u2028 東京 👩‍🚀 e\u0301", "x" * 3000),
    *("<|im_end|> is text, </s> too <think>", "<think>\n\n</think>\n\nYes.", "<think>so</think>No"),
)


def slow(tokenizer):
    """A tokenizer whose class does more than the backend."""

    class Own(type(tokenizer)):
        def encode(self, text, **choices):
            return super().encode(text.replace("harbour", "haven"), **choices)

    tokenizer.__class__ = Own
    return tokenizer


@pytest.fixture(scope="module", params=["tiny", "thinking", "chatml", "spaced", "cutting", "own"])
def chat(request, new_tokenizer):
    from uniapl_cli.loading import load_tokenizer
    from uniapl_cli.tiny.assets import resolve

    if request.param in ("tiny", "thinking"):
        shipped = load_tokenizer(resolve("tiny:base"))
        return Chat(shipped, thinking=request.param == "thinking", system="Be brief.")
    if request.param == "spaced":
        return Chat(new_tokenizer(("</s>", "<s>", "[INST]", "[/INST]"), SPACED))
    tokenizer = new_tokenizer(CHATML, read_template("qwen2.5"), plain=THINK)
    if request.param == "cutting":  # as a tokenizer.json may say
        tokenizer.backend_tokenizer.enable_truncation(5)
        tokenizer.backend_tokenizer.enable_padding(length=12)
    return Chat(slow(tokenizer) if request.param == "own" else tokenizer)


def example(prompt="Hi", response=None, rejected=None, line=1):
    messages = (Message("user", prompt),)
    return Example("1", messages, response=response, rejected=rejected, origin=f"rows.jsonl:{line}")


def same(chat, prompt, response):
    [item] = encode(chat, [example(prompt, response, response)])
    assert list(item.prompt) == chat.prompt_ids(item.example.prompt)
    assert list(item.response) == list(item.rejected) == chat.response_ids(response)


@pytest.mark.parametrize("text", TEXTS)
def test_the_ids_are_those_of_each_text_alone(chat, text):
    same(chat, text, text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(), st.text())
def test_the_ids_of_any_text_are_those_of_the_text_alone(chat, prompt, response):
    same(chat, prompt, response)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_size_of_a_chunk_changes_nothing(chat, monkeypatch, size):
    examples = [example(p, r) for p in TEXTS[:4] for r in (*TEXTS[:4], None)]
    whole = encode(chat, examples)
    monkeypatch.setattr(module, "CHUNK", size)
    assert encode(chat, iter(examples)) == whole
    assert [item.example for item in whole] == examples


def test_only_the_named_answers_are_encoded(chat):
    both = example(response="Yes.", rejected="No.")
    [item] = encode(chat, [both], ())
    assert (item.response, item.rejected) == (None, None)
    [item] = encode(chat, [both], ("rejected",))
    assert (item.response, list(item.rejected)) == (None, chat.response_ids("No."))


def test_a_prompt_that_recurs_is_encoded_once(chat, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    first, *others = encode(chat, [example(), example(), example(response="Yes.")])
    assert all(item.prompt is first.prompt for item in others)


def test_a_prompt_that_the_template_refuses_is_named(new_tokenizer):
    picky = "{% if 'no' in messages[0].content %}{{ raise_exception('No.') }}{% endif %}"
    chat = Chat(new_tokenizer(CHATML, picky + read_template("qwen2.5")))
    with pytest.raises(DataError) as caught:
        encode(chat, [example(), example("no", line=7)])
    assert caught.value.where == "rows.jsonl:7"


def test_rows_that_the_template_refuses_are_bad_rows(new_tokenizer):
    picky = "{% if 'no' in messages[0].content %}{{ raise_exception('No.') }}{% endif %}"
    chat = Chat(new_tokenizer(CHATML, picky + read_template("qwen2.5")))
    rows = [example("no", "Yes."), example("Hi", "Yes.", line=2), example("no", line=3)]
    bad = BadRows(2)
    [good] = encode(chat, rows, bad=bad)
    assert good.example is rows[1]
    assert [row.error.line for row in bad.rows] == [1, 3]
    with pytest.raises(DataError) as caught:
        encode(chat, rows, bad=BadRows(1))
    assert caught.value.line == 3


THOUGHTS = "<think>\n28 and 28.\n</think>\n\n56."


@pytest.mark.parametrize(
    ("thinking", "response", "counted"),
    [(False, THOUGHTS, True), (True, THOUGHTS, False), (False, "56.", False), (True, "56.", True)],
)
def test_thoughts_that_are_left_out_or_lacking_are_counted(
    tokenizer, caplog, thinking, response, counted
):
    with caplog.at_level(logging.WARNING, "uniapl"):
        encode(Chat(tokenizer, thinking), [example(response=response)] * 3)
    assert [record.args[1] for record in caplog.records] == [3] * counted


@pytest.mark.parametrize(
    "answer",
    [
        Message("assistant", THOUGHTS),
        Message("assistant", "56.", {"reasoning_content": "28 and 28."}),
        Message("assistant", "56.", {"thinking": "28 and 28.", "reasoning": "28 and 28."}),
    ],
)
def test_earlier_thoughts_that_the_template_leaves_out_are_counted(tokenizer, caplog, answer):
    talk = (Message("user", "Hi"), answer, Message("user", "And 8 x 8?"))
    with caplog.at_level(logging.WARNING, "uniapl"):
        encode(Chat(tokenizer), [Example("1", talk, response="64.")])
    assert [record.args[1] for record in caplog.records] == [1]


def test_an_answer_of_thoughts_only_is_a_bad_row_unless_they_are_learnt(tokenizer):
    row = example(response="<think>\n28 and 28.\n</think>\n\n")
    with pytest.raises(DataError) as caught:
        encode(Chat(tokenizer), [row])
    assert caught.value.line == 1
    assert encode(Chat(tokenizer, thinking=True), [row])[0].response


def test_tools_and_the_fields_of_a_response_are_encoded(tokenizer):
    call = {"type": "function", "function": {"name": "tides", "arguments": "{}"}}
    tool = {"type": "function", "function": {"name": "tides", "description": "Tides"}}
    row = replace(example(response=""), response_fields={"tool_calls": [call]}, tools=(tool,))
    plain, offered = encode(Chat(tokenizer), [example(response="Yes."), row])
    assert plain.prompt != offered.prompt
    assert '"name": "tides"' in tokenizer.decode(list(offered.response))
    with pytest.raises(DataError) as caught:
        encode(Chat(new_chatml(tokenizer)), [row])
    assert caught.value.line == 1


def new_chatml(tokenizer):
    """The tokenizer with a template that knows no tools."""
    other = copy.deepcopy(tokenizer)
    other.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return other


LIMITS = Limits(prompt=100, response=50, answer=0, context=120)


def item(line, prompt, response=None, rejected=None):
    """Of so many tokens."""
    lengths = [None if n is None else array("i", range(n)) for n in (prompt, response, rejected)]
    return Encoded(example(line=line), *lengths)


# The second has too long a response, the third too long a prompt.
ITEMS = [item(1, 9, 5), item(2, 9, 60), item(3, 101, 5), item(4, 100, 20)]


@pytest.fixture
def fitted(caplog):
    """fitted(items, overlong, ...): the lines of those that stay, their responses' lengths, logs.

    A log is (how many, of how many, the error of the first).
    """

    def run(items, overlong, limits=LIMITS, answers=("response",)):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "uniapl"):
            kept = fit(items, limits, overlong, answers)
        lengths = {int(k.example.origin.rpartition(":")[2]): len(k.response or ()) for k in kept}
        warnings = [(*record.args[:2], record.args[3]) for record in caplog.records]
        return lengths, warnings

    return run


def test_rows_that_fit_stay_and_nothing_is_said(fitted):
    for overlong in ("error", "drop", "truncate"):
        assert fitted([ITEMS[0], ITEMS[3]], overlong) == ({1: 5, 4: 20}, [])


@pytest.mark.parametrize(
    ("items", "line", "key", "got", "cure"),
    [
        (ITEMS, 2, "data.max_response_tokens", 60, "drop or truncate"),
        (ITEMS[2:], 3, "data.max_prompt_tokens", 101, "drop"),
        ([item(5, 80, 41)], 5, None, 121, "drop or truncate"),
    ],
)
def test_the_first_row_that_does_not_fit_is_an_error(fitted, items, line, key, got, cure):
    with pytest.raises(DataError) as caught:
        fitted(items, "error")
    error = caught.value
    assert (error.line, error.key, error.got) == (line, key, got)
    assert error.advice.endswith(f"data.overlong={cure}")


def test_rows_are_left_out_and_counted(fitted):
    kept, [(count, total, first)] = fitted(ITEMS, "drop")
    assert kept == {1: 5, 4: 20}
    assert (count, total, first.line) == (2, 4, 2)


def test_responses_are_cut_but_not_prompts(fitted):
    kept, [cut, left_out] = fitted(ITEMS, "truncate")
    assert kept == {1: 5, 2: 50, 4: 20}
    assert (*cut[:2], cut[2].line, cut[2].got) == (1, 4, 2, 60)
    assert (*left_out[:2], left_out[2].line, left_out[2].got) == (1, 4, 3, 101)


@pytest.mark.parametrize("overlong", ["drop", "truncate"])
def test_what_is_kept_is_the_head(overlong):
    for kept in fit(ITEMS, LIMITS, overlong, ("response",)):
        assert list(kept.response) == list(range(len(kept.response)))


def test_the_models_context_cuts_too(fitted):
    narrow = replace(LIMITS, response=1000, context=14)
    assert fitted(ITEMS[:2], "truncate", narrow)[0] == {1: 5, 2: 5}
    # Rollouts to the same prompts need their room whatever becomes of the demonstrations.
    with pytest.raises(DataError) as caught:
        fitted(ITEMS[:1], "truncate", replace(narrow, answer=6))
    assert (caught.value.line, caught.value.got) == (1, 15)


def test_a_response_that_just_fits_is_whole(fitted):
    assert fitted([item(1, 70, 50)], "error")[0] == {1: 50}
    assert fitted([item(1, 71, 50)], "truncate")[0] == {1: 49}


def test_responses_count_only_where_they_are_imitated(fitted):
    kept, warnings = fitted(ITEMS, "truncate", answers=())
    assert list(kept) == [1, 2, 4]
    assert len(warnings) == 1


def test_judged_answers_are_never_cut(fitted):
    both = ("response", "rejected")
    kept, [(count, total, _)] = fitted([*ITEMS, item(5, 9, 5, 60)], "truncate", answers=both)
    assert (list(kept), count, total) == ([1, 4], 3, 5)


@pytest.mark.parametrize("overlong", ["drop", "truncate"])
def test_a_run_with_no_row_left_stops_at_the_first(fitted, overlong):
    with pytest.raises(DataError) as caught:
        fitted([ITEMS[2], ITEMS[2]], overlong)
    assert (caught.value.line, caught.value.got) == (3, 101)


def test_rows_are_read_without_torch():
    import subprocess
    import sys

    code = (
        "import sys; import uniapl_cli.data, uniapl_cli.pipelines.filter;"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
