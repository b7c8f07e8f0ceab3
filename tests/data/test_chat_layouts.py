"""Plain conversations, pairs of a better and a worse answer, and answers with a label."""

import pytest

from uniapl_cli.types import Constraint, Message

SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Why?"}
ANSWER = {"role": "assistant", "content": "So."}
WORSE = {"role": "assistant", "content": "Dunno."}
ASKED = (Message("user", "Why?"),)
BRIEFLY = (Message("system", "Be brief."), *ASKED)


def test_the_last_turn_of_a_conversation_is_the_response(read):
    turns = [SYSTEM, USER, ANSWER, USER, WORSE]
    example = read("messages", id="a", messages=turns, reference="Because.")
    assert example.prompt == (*BRIEFLY, Message("assistant", "So."), *ASKED)
    assert (example.id, example.response, example.reference) == ("a", "Dunno.", "Because.")
    assert example.constraints == ()
    assert example.row["messages"] == turns


@pytest.mark.parametrize("layout", ["preference", "labelled"])
def test_the_turns_of_a_prompt_are_those_before_the_answer(read, refused, layout):
    whole, other = [USER, ANSWER], [USER, WORSE]
    answers = {"chosen": whole, "rejected": other, "completion": whole, "label": True}
    assert read(layout, prompt=[USER], **answers).prompt == ASKED
    assert read(layout, prompt="Why?", **answers).prompt == ASKED
    error = refused(layout, prompt=[SYSTEM, USER], **answers)
    assert error.got == [SYSTEM, USER]


def test_a_conversation_may_wait_for_its_response(read):
    example = read("messages", messages=[USER])
    assert (example.id, example.prompt, example.response) == ("1", ASKED, None)


def test_a_response_column_takes_the_last_turns_place(read):
    assert read("messages", messages=[USER, WORSE], response="So.").response == "So."
    assert read("messages", messages=[USER, WORSE], response=None).response == "Dunno."


def test_a_conversation_may_have_instructions(read):
    kwargs = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": "[null]"}
    example = read("messages", messages=[USER], **kwargs)
    assert example.constraints == (Constraint("punctuation:no_comma", {}),)


@pytest.mark.parametrize(
    ("system", "turns", "prompt"),
    [
        ("Be brief.", [USER], BRIEFLY),
        ("Be brief.", [SYSTEM, USER], BRIEFLY),
        ("", [USER], ASKED),
        (" \n", [SYSTEM, USER], BRIEFLY),
        (None, [USER], ASKED),
    ],
)
def test_a_system_column_is_the_first_turn(read, system, turns, prompt):
    assert read("messages", messages=turns, system=system).prompt == prompt
    assert read("preference", prompt=turns, chosen="a", rejected="b", system=system).prompt == (
        prompt
    )


@pytest.mark.parametrize(
    ("columns", "got"),
    [
        ({"conversations": [USER]}, ["conversations"]),
        ({"messages": []}, []),
        ({"messages": [{"from": "human", "value": "Why?"}]}, {"from": "human", "value": "Why?"}),
        ({"messages": [{"role": "human", "content": "Why?"}]}, "human"),
        ({"messages": [SYSTEM, USER], "system": "Be long."}, "Be long."),
        ({"messages": [USER], "system": 5}, 5),
        ({"messages": [USER], "response": 5}, 5),
        ({"messages": [USER], "instruction_id_list": ["a"]}, (["a"], [])),
    ],
)
def test_a_bad_conversation_is_refused(refused, columns, got):
    assert refused("messages", **columns).got == got


@pytest.mark.parametrize("turns", [[ANSWER], [USER, ANSWER, WORSE], [SYSTEM, ANSWER]])
def test_an_answer_to_no_question_is_refused(refused, turns):
    refused("messages", messages=turns)


@pytest.mark.parametrize(
    ("columns", "prompt"),
    [
        ({"prompt": "Why?", "chosen": "So.", "rejected": "Dunno."}, ASKED),
        ({"prompt": [USER], "chosen": "So.", "rejected": "Dunno."}, ASKED),
        ({"prompt": [SYSTEM, USER], "chosen": [ANSWER], "rejected": [WORSE]}, BRIEFLY),
        ({"messages": [USER], "chosen": [ANSWER], "rejected": "Dunno."}, ASKED),
        ({"chosen": [USER, ANSWER], "rejected": [USER, WORSE]}, ASKED),
        # A whole conversation is the prompt, whatever the prompt's text leaves out.
        (
            {"prompt": "Why?", "chosen": [SYSTEM, USER, ANSWER], "rejected": [SYSTEM, USER, WORSE]},
            BRIEFLY,
        ),
    ],
)
def test_a_pair_may_be_written_so(read, columns, prompt):
    example = read("preference", **columns)
    assert (example.id, example.prompt) == ("1", prompt)
    assert (example.response, example.rejected) == ("So.", "Dunno.")
    assert example.row == columns
    assert read("preference", **columns, response="Since.").response == "Since."


@pytest.mark.parametrize(
    ("columns", "got"),
    [
        ({"prompt": "Why?", "rejected": "b"}, ["prompt", "rejected"]),
        ({"prompt": "Why?", "chosen": "a"}, ["prompt", "chosen"]),
        ({"prompt": "Why?", "chosen": "a", "rejected": 2}, 2),
        ({"chosen": "a", "rejected": "b"}, ["chosen", "rejected"]),
        ({"prompt": "", "chosen": "a", "rejected": "b"}, ["prompt", "chosen", "rejected"]),
        ({"prompt": [], "chosen": "a", "rejected": "b"}, []),
        ({"prompt": "Why?", "chosen": [], "rejected": "b"}, []),
    ],
)
def test_a_bad_pair_is_refused(refused, columns, got):
    assert refused("preference", **columns).got == got


@pytest.mark.parametrize(
    "columns",
    [
        {"prompt": "Why?", "chosen": [USER], "rejected": "b"},
        {"prompt": [ANSWER], "chosen": "a", "rejected": "b"},
        {"chosen": [USER, ANSWER], "rejected": [SYSTEM, USER, WORSE]},
        {"prompt": "Why?", "chosen": [USER, ANSWER], "rejected": "b"},
        {"prompt": [USER], "chosen": [ANSWER, USER, ANSWER], "rejected": "b"},
    ],
)
def test_turns_that_are_no_two_answers_to_one_question_are_refused(refused, columns):
    refused("preference", **columns)


ASKINGS = [
    ({"prompt": "Why?", "completion": "So."}, ASKED),
    ({"prompt": [SYSTEM, USER], "completion": [ANSWER]}, BRIEFLY),
    ({"messages": [USER], "completion": "So."}, ASKED),
    ({"completion": [USER, ANSWER]}, ASKED),
    ({"prompt": "Why?", "completion": "So.", "system": "Be brief."}, BRIEFLY),
]


@pytest.mark.parametrize(("columns", "prompt"), ASKINGS)
def test_a_label_says_which_answer_a_completion_is(read, columns, prompt):
    good, bad = (read("labelled", **columns, label=label) for label in (True, False))
    assert good.prompt == bad.prompt == prompt
    assert (good.response, good.rejected) == ("So.", None)
    assert (bad.response, bad.rejected) == (None, "So.")


def test_a_response_by_the_teacher_stands_beside_a_bad_completion(read):
    columns = {"prompt": "Why?", "completion": "Dunno.", "response": "Since."}
    assert read("labelled", **columns, label=True).response == "Since."
    bad = read("labelled", **columns, label=False)
    assert (bad.response, bad.rejected) == ("Since.", "Dunno.")


@pytest.mark.parametrize(
    ("columns", "got"),
    [
        *(({"label": label}, label) for label in (1, "true", None, 0.0)),
        ({}, None),
        ({"label": True, "completion": None}, ["prompt", "completion", "label"]),
        ({"label": True, "prompt": ""}, ["prompt", "completion", "label"]),
    ],
)
def test_a_bad_label_is_refused(refused, columns, got):
    row = {"prompt": "Why?", "completion": "So.", **columns}
    assert refused("labelled", **row).got == got


@pytest.mark.parametrize(
    ("layout", "columns"),
    [
        ("preference", {"chosen": "So.", "rejected": "Dunno."}),
        ("labelled", {"completion": "So.", "label": True}),
    ],
)
def test_answers_may_have_instructions(read, layout, columns):
    kwargs = {"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    example = read(layout, prompt="Why?", **columns, **kwargs)
    assert example.constraints == (Constraint("punctuation:no_comma", {}),)
