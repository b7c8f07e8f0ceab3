import subprocess
import sys

import pytest
from jinja2 import TemplateError

from uniapl_cli.errors import DataError
from uniapl_cli.tiny.tokenizer import SCORE, SEPARATOR, THINK, VOCAB_SIZE, train_tokenizer

QUESTION = {"role": "user", "content": "Q"}
ANSWER = {"role": "assistant", "content": "A"}
THOUGHT = {"role": "assistant", "content": "<think>\nwhy\n</think>\n\nA"}
USER = "<|im_start|>user\nQ<|im_end|>\n"
OPEN = "<|im_start|>assistant\n"


def render(tokenizer, messages, **choices):
    return tokenizer.apply_chat_template(messages, tokenize=False, **choices)


@pytest.mark.parametrize(
    "text",
    [
        'The harbour is old, and "it\'s" warm.\n***\n- 123',
        "naïve café, 東京, Ελλάδα, עברית",
        "👩‍🚀 e\u0301 \u00a0\t\r\n  two  spaces ",
        "",
    ],
)
def test_any_text_comes_back_as_it_was(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_vocabulary_ends_with_the_special_tokens(tokenizer):
    assert len(tokenizer) == VOCAB_SIZE
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", SEPARATOR, SCORE, *THINK]
    assert tokenizer.convert_tokens_to_ids(tokens) == list(range(VOCAB_SIZE - 7, VOCAB_SIZE))
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert tokenizer.model_max_length == 512


def test_think_marks_survive_where_special_tokens_are_skipped(tokenizer):
    ids = tokenizer.encode(f"<|im_start|><think>a</think>{SCORE}<|im_end|>")
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<think>a</think>"


def test_texts_of_too_few_words_are_refused():
    with pytest.raises(DataError) as caught:
        train_tokenizer(["Write about the harbour."])
    assert 256 < caught.value.got < VOCAB_SIZE


@pytest.mark.slow
def test_training_again_gives_the_same_tokenizer(tokenizer, demonstrated):
    # In another process, whose hashes are seeded otherwise.
    code = (
        "import sys; from uniapl_cli.tiny import oracle, task, world;"
        "rows = oracle.demonstrations(task.rows(0, 1500), 1);"
        "sys.stdout.write(world.new_tokenizer(rows).backend_tokenizer.to_str())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == tokenizer.backend_tokenizer.to_str()


def test_prompts_and_answers_are_short(tokenizer, demonstrated):
    prompts = [
        len(
            tokenizer.encode(
                render(
                    tokenizer,
                    [{"role": "user", "content": row["prompt"]}],
                    add_generation_prompt=True,
                    enable_thinking=False,
                )
            )
        )
        for row in demonstrated
    ]
    answers = [len(tokenizer.encode(row["response"])) + 1 for row in demonstrated]
    assert max(prompts) <= 50
    assert max(answers) <= 48
    assert 18 <= sum(answers) / len(answers) <= 25


@pytest.mark.parametrize(
    ("messages", "choices", "expected"),
    [
        ([QUESTION], {}, USER),
        ([QUESTION], {"add_generation_prompt": True}, USER + OPEN),
        ([QUESTION], {"add_generation_prompt": True, "enable_thinking": True}, USER + OPEN),
        (
            [QUESTION],
            {"add_generation_prompt": True, "enable_thinking": False},
            USER + OPEN + "<think>\n\n</think>\n\n",
        ),
        (
            [{"role": "system", "content": "S"}, QUESTION],
            {},
            "<|im_start|>system\nS<|im_end|>\n" + USER,
        ),
        ([QUESTION, ANSWER], {}, USER + OPEN + "<think>\n\n</think>\n\nA<|im_end|>\n"),
        ([QUESTION, THOUGHT], {}, USER + OPEN + "<think>\nwhy\n</think>\n\nA<|im_end|>\n"),
        (
            [QUESTION, {**ANSWER, "reasoning_content": "why"}],
            {},
            USER + OPEN + "<think>\nwhy\n</think>\n\nA<|im_end|>\n",
        ),
        ([QUESTION, THOUGHT, QUESTION], {}, USER + OPEN + "A<|im_end|>\n" + USER),
        ([QUESTION, ANSWER, QUESTION], {}, USER + OPEN + "A<|im_end|>\n" + USER),
        ([ANSWER], {}, OPEN + "A<|im_end|>\n"),
    ],
)
def test_the_chat_format_is_that_of_qwen3(tokenizer, messages, choices, expected):
    assert render(tokenizer, messages, **choices) == expected


def test_an_unknown_role_is_refused(tokenizer):
    with pytest.raises(TemplateError):
        render(tokenizer, [{"role": "developer", "content": "x"}])


def test_a_saved_tokenizer_is_what_auto_tokenizer_loads(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    messages = [QUESTION, THOUGHT]
    assert render(loaded, messages) == render(tokenizer, messages)
    text = "naïve e\u0301 <think>\n\n</think>\n\nThe harbour.<|im_end|>"
    assert loaded.encode(text) == tokenizer.encode(text)
    assert loaded.decode(loaded.encode(text)) == text
    assert (loaded.eos_token_id, loaded.pad_token_id) == (1019, 1017)
    assert loaded.model_max_length == 512
