"""The embedded world's tokenizer: 1024 byte-level tokens, Qwen3's special tokens and format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from uniapl_cli.chat import read_template
from uniapl_cli.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCAB_SIZE = 1024
MAX_LENGTH = 512
SEPARATOR = "<|reward|>"  # stands between the two halves of a POLAR input
SCORE = "<|score|>"  # a POLAR input's last token; its hidden state becomes the score
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", SEPARATOR, SCORE)
THINK = ("<think>", "</think>")

# As Qwen splits: words with their leading space, single digits, punctuation with its line breaks.
_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# What the chat format adds between the special tokens, often enough to be merged.
_CHAT = ("system\n", "user\n", "assistant\n", "\n\n") * 100


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Learn the tokens that `texts` need. Raises DataError if they are too few for the vocabulary.

    The special tokens have the last ids, as Qwen3's have.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - len(SPECIAL) - len(THINK),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator([*texts, *_CHAT], trainer)
    core.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    # As in Qwen3 these can be read in decoded text: they are not special.
    core.add_tokens([AddedToken(t, special=False, normalized=False) for t in THINK])
    if core.get_vocab_size() != VOCAB_SIZE:
        size = core.get_vocab_size()
        raise DataError(f"the texts gave {size} tokens, not {VOCAB_SIZE}", "Add some", got=size)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=MAX_LENGTH,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=read_template("qwen3"),
    )
