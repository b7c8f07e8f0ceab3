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
    ("columns", "message"),
    [
        ({"conversations": [USER]}, "'messages' is needed; got ['conversations']"),
        ({"messages": []}, "messages must be a list of {role, content}, both texts"),
        ({"messages": [{"from": "human", "value": "Why?"}]}, "messages must be a list of"),
        ({"messages": [{"role": "user", "content": None}]}, "messages must be a list of"),
        ({"messages": [{"role": "human", "content": "Why?"}]}, "no role 'human'"),
        ({"messages": [ANSWER]}, "the turn before the answer must be the user's; there is none"),
        ({"messages": [USER, ANSWER, WORSE]}, "must be the user's; it is the assistant's"),
        ({"messages": [SYSTEM, ANSWER]}, "must be the user's; it is the system's"),
        ({"messages": [SYSTEM, USER], "system": "Be long."}, "'system' is not the system turn"),
        ({"messages": [USER], "system": 5}, "'system' must be text, got int"),
        ({"messages": [USER], "response": 5}, "'response' must be text, got int"),
        ({"messages": [USER], "instruction_id_list": ["a"]}, "1 instruction ids but 0 kwargs"),
    ],
)
def test_a_bad_conversation_is_refused(refused, columns, message):
    assert message in refused("messages", **columns)


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
    ("columns", "message"),
    [
        ({"prompt": "Why?", "rejected": "b"}, "'chosen' is needed; got ['prompt', 'rejected']"),
        ({"prompt": "Why?", "chosen": "a"}, "'rejected' is needed; got ['prompt', 'chosen']"),
        ({"prompt": "Why?", "chosen": "a", "rejected": 2}, "'rejected' must be text, got int"),
        ({"chosen": "a", "rejected": "b"}, "a 'prompt' or 'messages' is needed"),
        ({"prompt": "", "chosen": "a", "rejected": "b"}, "a 'prompt' or 'messages' is needed"),
        (
            {"prompt": [], "chosen": "a", "rejected": "b"},
            "prompt must be a list of {role, content}",
        ),
        ({"prompt": "Why?", "chosen": [], "rejected": "b"}, "chosen must be a list of"),
        ({"prompt": "Why?", "chosen": [USER], "rejected": "b"}, "'chosen' must be the assistant's"),
        ({"prompt": [ANSWER], "chosen": "a", "rejected": "b"}, "it is the assistant's"),
        (
            {"chosen": [USER, ANSWER], "rejected": [SYSTEM, USER, WORSE]},
            "chosen and rejected do not answer the same turns",
        ),
        (
            {"prompt": "Why?", "chosen": [USER, ANSWER], "rejected": "b"},
            "chosen and rejected do not answer the same turns",
        ),
        (
            {"prompt": [USER], "chosen": [ANSWER, USER, ANSWER], "rejected": "b"},
            "'chosen' must be one turn, or begin with the prompt's",
        ),
    ],
)
def test_a_bad_pair_is_refused(refused, columns, message):
    assert message in refused("preference", **columns)


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
    ("columns", "message"),
    [
        *(
            ({"label": label}, f"'label' must be true (a good completion) or false, got {said}")
            for label, said in [(1, "1"), ("true", "'true'"), (None, "None"), (0.0, "0.0")]
        ),
        ({}, "'label' must be true (a good completion) or false, got None"),
        ({"label": True, "completion": None}, "'completion' is needed; got ['prompt', "),
        ({"label": True, "completion": [USER]}, "'completion' must be the assistant's"),
        ({"label": True, "prompt": ""}, "a 'prompt' or 'messages' is needed"),
    ],
)
def test_a_bad_label_is_refused(refused, columns, message):
    assert message in refused("labelled", **{"prompt": "Why?", "completion": "So.", **columns})


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
