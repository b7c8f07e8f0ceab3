"""Texts and continuations as ids: spaces, merges, special tokens."""

import pytest
from small_tokenizers import new_tokenizer
from tokenizers import processors

from uniapl_cli.errors import ModelError
from uniapl_cli.generation.continuations import encode


@pytest.fixture(scope="module")
def plain():
    """A tokenizer that adds nothing."""
    return new_tokenizer(["<eos>", "<bos>"], None)


@pytest.fixture(scope="module")
def with_bos():
    """A tokenizer that puts a BOS in front, as Llama's does."""
    tokenizer = new_tokenizer(["<eos>", "<bos>"], None)
    ids = [("<bos>", tokenizer.bos_token_id)]
    post = processors.TemplateProcessing("<bos> $A", "<bos> $A <bos> $B", ids)
    tokenizer.backend_tokenizer.post_processor = post
    return tokenizer


def test_an_option_is_what_it_adds_behind_the_context(plain):
    context, options = encode(plain, "The harbour", [" is old", " is", "!"])
    assert plain.decode(context) == "The harbour"
    assert [plain.decode(ids) for ids in options] == [" is old", " is", "!"]
    assert encode(plain, "The harbour", [" is"]) == (context, [options[1]])


def test_spaces_at_the_contexts_end_go_to_the_options(plain):
    assert encode(plain, "The harbour ", ["is"]) == encode(plain, "The harbour", [" is"])
    assert encode(plain, "The\n\n \t", ["is"]) == encode(plain, "The", ["\n\n \tis"])


def test_an_option_that_merges_with_the_context_begins_behind_as_many_ids(plain):
    """The ids of the context alone stay, whatever the whole is encoded as."""
    whole, alone = plain("The harbour")["input_ids"], plain("The har")["input_ids"]
    assert whole[: len(alone)] != alone
    assert encode(plain, "The har", ["bour"]) == (alone, [whole[len(alone) :]])


def test_special_tokens_are_the_tokenizers_but_a_bos_is_not_put_before_another(with_bos):
    bos = with_bos.bos_token_id
    context, (option,) = encode(with_bos, "The harbour", [" is"])
    assert context[0] == bos and bos not in [*context[1:], *option]
    assert encode(with_bos, "<bos>The harbour", [" is"]) == (context, [option])


@pytest.mark.parametrize("kind", ["plain", "with_bos"])
def test_behind_an_empty_context_a_text_begins_with_one_bos(kind, request):
    tokenizer = request.getfixturevalue(kind)
    bare = tokenizer("is old", add_special_tokens=False)["input_ids"]
    bos = tokenizer.bos_token_id
    assert encode(tokenizer, "", ["is old", "<bos>is old"]) == ([bos], [bare, bare])
    assert encode(tokenizer, "  ", ["is"])[0] == [bos]


def test_without_a_bos_it_is_the_eos_and_without_both_an_error():
    assert encode(new_tokenizer(["<eos>"], None), "", ["is"])[0] == [
        new_tokenizer(["<eos>"], None).eos_token_id
    ]
    with pytest.raises(ModelError):
        encode(new_tokenizer([], None), "", ["is"])
