"""What carries loss: the response and its stop token, nothing else."""

import pytest
import torch

from uniapl_cli.chat import Chat
from uniapl_cli.data.collate import lay_out, pad_rows
from uniapl_cli.data.encode import encode
from uniapl_cli.tensors import pad_ids
from uniapl_cli.types import Example, Message

ANSWERS = {
    "Tell me about the harbour.": "The harbour is old, and the boats are calm.",
    "Hi": "\n\nHello <think>, said",
    "Write about gardens in two paragraphs.": "Roses.\n***\nBees.\n",
    "Be silent.": "",
}


@pytest.fixture(params=[False, True], ids=["no thinking", "thinking"])
def chat(request, tokenizer):
    return Chat(tokenizer, thinking=request.param, system="Be brief.")


@pytest.fixture
def pairs(chat):
    examples = [Example("1", (Message("user", p),), response=r) for p, r in ANSWERS.items()]
    return [(item.prompt, item.response) for item in encode(chat, examples)]


def test_the_mask_covers_the_response_and_its_stop_token(chat, pairs):
    tokens, mask = pad_rows(pairs, chat.tokenizer.pad_token_id)
    for row, chosen, answer in zip(tokens, mask, ANSWERS.values(), strict=True):
        assert chat.tokenizer.decode(row[1:][chosen]) == f"{chat.lead}{answer}<|im_end|>"


def test_what_stands_before_the_mask_is_the_prompt_with_its_empty_think_block(chat, pairs):
    tokens, mask = pad_rows(pairs, chat.tokenizer.pad_token_id)
    for row, chosen, question in zip(tokens, mask, ANSWERS, strict=True):
        first = int(chosen.int().argmax()) + 1
        prompt = chat.tokenizer.decode(row[:first])
        assert prompt == chat.render([Message("user", question)])
        assert prompt.endswith("</think>\n\n") is not chat.thinking


def test_what_stands_behind_the_mask_is_padding(pairs):
    tokens, mask = pad_rows(pairs, 999)
    for row, (prompt, response) in zip(tokens, pairs, strict=True):
        end = len(prompt) + len(response)
        assert row[end:].tolist() == [999] * (len(row) - end)
    assert tokens.shape == (len(pairs), mask.shape[1] + 1)
    assert mask.shape[1] + 1 == max(len(p) + len(r) for p, r in pairs)


def test_lay_out_puts_each_number_where_its_token_is_predicted():
    tokens, mask = pad_rows([([1, 2], [3, 4, 5]), ([1, 2, 3], [4])], 0)
    placed = lay_out([[0.1, 0.2, 0.3], [0.4]], mask)
    assert torch.equal(placed, torch.tensor([[0, 0.1, 0.2, 0.3], [0, 0, 0.4, 0]]))
    assert tokens.tolist() == [[1, 2, 3, 4, 5], [1, 2, 3, 4, 0]]


def test_lay_out_refuses_another_number_of_values_than_tokens():
    _, mask = pad_rows([([1, 2], [3, 4, 5])], 0)
    with pytest.raises(RuntimeError):
        lay_out([[0.1, 0.2]], mask)


@pytest.mark.parametrize(
    ("left", "ids", "mask"),
    [
        (False, [[1, 2, 3], [4, 9, 9], [9, 9, 9]], [[1, 1, 1], [1, 0, 0], [0, 0, 0]]),
        (True, [[1, 2, 3], [9, 9, 4], [9, 9, 9]], [[1, 1, 1], [0, 0, 1], [0, 0, 0]]),
    ],
)
def test_ids_are_padded_on_either_side(left, ids, mask):
    padded = pad_ids([[1, 2, 3], [4], []], 9, left=left)
    assert [part.tolist() for part in padded] == [ids, mask]
