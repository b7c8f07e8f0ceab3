"""Between two sampled answers stands what the template writes there; no answer is written anew."""

import pytest
from chat_templates import MARKS, chat

from uniapl_cli.chat import Chat
from uniapl_cli.errors import ModelError
from uniapl_cli.types import Message

ASK = (Message("user", "Say a number."),)
TURNS = ["Another one?", "  And\none more <b>, Yes.", "é 字 ok"]
ANSWERS = ["Seven.", "It is 8", "nine then"]
# Their templates leave the empty think block of an earlier answer out.
FORGET = {"qwen3", "opens_think"}


def conversation(prompt, answers, turns):
    said = [m for a, t in zip(answers, turns, strict=True) for m in (("assistant", a), ("user", t))]
    return [*prompt, *(Message(role, text) for role, text in said)]


def went_on(one, prompt, answers, turns):
    """The ids of a conversation that was sampled answer by answer."""
    ids = one.prompt_ids(prompt)
    for answer, between in zip(answers, one.between_ids(prompt, turns), strict=True):
        ids += one.response_ids(answer) + between
    return ids


@pytest.mark.parametrize("system", [None, "Be brief."])
@pytest.mark.parametrize("name", sorted(set(MARKS) - FORGET))
def test_a_conversation_has_the_ids_of_its_rendering(name, system):
    if name == "no_system" and system:
        pytest.skip("its template takes no system turn")
    one = chat(name, system=system)
    for count in (1, 2, 3):
        said = ANSWERS[:count], TURNS[:count]
        assert went_on(one, ASK, *said) == one.prompt_ids(conversation(ASK, *said))


def test_the_shipped_models_template_keeps_the_block_that_was_shown(tokenizer):
    """Qwen3's leaves an earlier answer's empty think block out; the policy has seen it."""
    one = Chat(tokenizer)
    empty = "<think>\n\n</think>\n\n"
    ids = went_on(one, ASK, ANSWERS, TURNS)
    rendered = one.render(conversation(ASK, ANSWERS, TURNS))
    assert tokenizer.decode(ids).count(empty) == 4
    assert rendered.count(empty) == 1
    assert tokenizer.decode(ids).replace(empty, "") == rendered.replace(empty, "")


@pytest.mark.parametrize("name", sorted(FORGET))
def test_what_stands_between_ends_where_an_answer_begins(name):
    one = chat(name)
    prompt = conversation(ASK, ANSWERS, TURNS)
    for between in one.between_ids(ASK, TURNS):
        ending = one.prompt_ids(ASK)[-3:]
        assert between[-3:] == ending == one.prompt_ids(prompt)[-3:]


@pytest.mark.parametrize("name", sorted(MARKS))
def test_a_user_who_spells_a_stop_token_ends_nothing(name):
    one = chat(name)
    (plain,), (spelt,) = (
        one.between_ids(ASK, [f"a {x} b"]) for x in ("or", one.tokenizer.eos_token)
    )
    assert spelt.count(one.stop_id) == plain.count(one.stop_id)


def test_a_template_without_a_stop_token_between_turns_is_refused(new_tokenizer):
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    one = Chat(new_tokenizer(("<|eos|>",), template, ()))
    with pytest.raises(ModelError, match="no stop token between"):
        one.between_ids(ASK, TURNS)


def test_a_template_that_leaves_a_later_turn_out_is_refused(new_tokenizer):
    template = (
        "{% for m in messages[:2] %}{{ m.content }}<|eos|>{% endfor %}"
        "{% if add_generation_prompt %}{% endif %}"
    )
    one = Chat(new_tokenizer(("<|eos|>",), template, ()))
    with pytest.raises(ModelError, match="leaves out"):
        one.between_ids(ASK, TURNS)
