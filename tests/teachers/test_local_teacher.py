"""The teacher in this process."""

import pytest
from echo import Echo

from uniapl_cli.chat import Chat, read_template
from uniapl_cli.errors import ModelError
from uniapl_cli.teachers import LocalTeacher, Question
from uniapl_cli.types import Message, Sampling

MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TOOL = {"type": "function", "function": {"name": "river_of", "parameters": {}}}


class Recording(Echo):
    """An Echo that keeps its requests."""

    def generate(self, requests, sampling, progress=None):
        self.requests = list(requests)
        return super().generate(requests, sampling, progress)


def test_the_tools_of_a_question_are_in_its_prompt(new_tokenizer):
    chat = Chat(new_tokenizer(MARKS, read_template("qwen3")))
    messages, generator = (Message("user", "Hi"),), Recording()
    questions = [Question(messages, (2,)), Question(messages, (2,), tools=(TOOL,))]
    assert len(list(LocalTeacher(generator, chat).answer(questions, Sampling()))) == 2
    without, with_tools = (chat.text(request.prompt_ids) for request in generator.requests)
    assert "river_of" in with_tools and "river_of" not in without


def test_a_question_that_the_template_cannot_write_is_named(new_tokenizer):
    picky = "{% if 'no' in messages[0].content %}{{ raise_exception('No.') }}{% endif %}"
    chat = Chat(new_tokenizer(MARKS, picky + read_template("qwen2.5")))
    texts, generator = ("Hi", "no"), Recording()
    questions = [Question((Message("user", t),), (2,), f"r.jsonl:{i}") for i, t in enumerate(texts)]
    with pytest.raises(ModelError) as caught:
        list(LocalTeacher(generator, chat).answer(questions, Sampling()))
    assert (caught.value.where, generator.responses) == ("r.jsonl:1", 0)
