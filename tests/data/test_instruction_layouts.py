"""Rows without turns: a prompt and its completion, an instruction and its output, a question."""

import pytest

from uniapl_cli.types import Message

USER = {"role": "user", "content": "Why?"}
ANSWER = {"role": "assistant", "content": "So."}
WHY = (Message("user", "Why?"),)
SYSTEM = (Message("system", "Be brief."), *WHY)


@pytest.mark.parametrize(
    ("columns", "prompt"),
    [
        ({"prompt": "Why?", "completion": "So."}, WHY),
        ({"prompt": [USER], "completion": [ANSWER]}, WHY),
        ({"prompt": [USER], "completion": "So."}, WHY),
        ({"prompt": "Why?", "completion": [ANSWER]}, WHY),
        ({"completion": [USER, ANSWER]}, WHY),
        ({"prompt": "Why?", "completion": "So.", "system": "Be brief."}, SYSTEM),
        (
            {"prompt": "Why?", "completion": [ANSWER, USER, ANSWER]},
            (*WHY, Message("assistant", "So."), *WHY),
        ),
    ],
)
def test_a_completion_is_the_response(read, columns, prompt):
    example = read("prompt_completion", **columns)
    assert (example.prompt, example.response) == (prompt, "So.")
    assert read("prompt_completion", **columns, response="Since.").response == "Since."


@pytest.mark.parametrize(
    "columns",
    [
        {"completion": "So."},
        {"prompt": "Why?", "completion": None},
        {"prompt": "Why?", "completion": [USER]},
        {"prompt": "Why?", "completion": 5},
        {"prompt": [USER, ANSWER], "completion": "So."},
    ],
)
def test_a_completion_of_nothing_is_refused(refused, columns):
    refused("prompt_completion", **columns)


@pytest.mark.parametrize("layout", ["ifeval", "prompt_completion"])
def test_a_prompt_may_be_turns(read, layout):
    turns = [{"role": "system", "content": "Be brief."}, USER]
    more = {"completion": "So."} if layout == "prompt_completion" else {}
    assert read(layout, prompt=turns, **more).prompt == SYSTEM


@pytest.mark.parametrize(
    ("columns", "prompt"),
    [
        ({"output": "So."}, WHY),
        ({"output": "So.", "input": "", "system": ""}, WHY),
        ({"output": "So.", "input": None, "history": []}, WHY),
        ({"output": "So.", "system": "Be brief."}, SYSTEM),
        ({"output": "So.", "input": "The sky."}, (Message("user", "Why?\nThe sky."),)),
        ({"response": "So.", "context": "The sky."}, (Message("user", "Why?\nThe sky."),)),
        (
            {"output": "So.", "history": [["Hi", "Ho"]]},
            (Message("user", "Hi"), Message("assistant", "Ho"), *WHY),
        ),
    ],
)
def test_an_instruction_and_its_input_are_the_prompt(read, columns, prompt):
    example = read("alpaca", instruction="Why?", **columns)
    assert (example.prompt, example.response) == (prompt, "So.")


@pytest.mark.parametrize(
    "columns",
    [
        {"instruction": "", "output": "So."},
        {"instruction": "Why?", "output": 5},
        {"instruction": "Why?", "output": "So.", "history": [["Hi"]]},
        {"instruction": "Why?", "output": "So.", "history": "Hi"},
        {"instruction": "Why?", "output": "So.", "input": ["The sky."]},
    ],
)
def test_an_instruction_that_cannot_be_read_is_refused(refused, columns):
    refused("alpaca", **columns)


@pytest.mark.parametrize("question", ["question", "query", "problem"])
@pytest.mark.parametrize("answer", ["answer", "solution", "response"])
def test_a_question_is_the_prompt_and_its_answer_the_response(read, question, answer):
    example = read("question_answer", **{question: "Why?", answer: "So."})
    assert (example.prompt, example.response) == (WHY, "So.")


def test_a_solution_is_the_response_and_not_its_last_number(read):
    row = {"problem": "1 + 1?", "solution": "It is 2.", "answer": "2"}
    assert read("question_answer", **row).response == "It is 2."


@pytest.mark.parametrize(
    "more",
    [
        {"choices": ["a", "b"]},
        {"options": {"A": "a"}},
        {"context": "The sky."},
        {"A": "a", "B": "b"},
    ]
    + [{"instruction": "Be brief."}],
)
def test_a_question_that_needs_another_column_is_refused(refused, more):
    error = refused("question_answer", question="Why?", answer="A", **more)
    assert error.got in more


@pytest.mark.parametrize("answer", [["A"], 5, {"text": "So."}])
def test_an_answer_that_is_no_text_is_refused(refused, answer):
    assert refused("question_answer", question="Why?", answer=answer).got == answer
