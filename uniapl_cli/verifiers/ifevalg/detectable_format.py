"""detectable_format:* of IFEvalG: hyphens between sentences, brackets around words."""

from __future__ import annotations

from uniapl_cli.verifiers.ifevalg.sentences import sentences_by_rule
from uniapl_cli.verifiers.registry import verifiers


@verifiers.register("detectable_format:sentence_hyphens", unwrap=True)
def sentence_hyphens(response: str) -> bool:
    """Each part between hyphens is a sentence, with no space around it.

    Sentences are split after replacing hyphens by spaces. As officially, parts and sentences are
    compared pairwise, surplus ones are ignored, and a hyphenated word fails.
    """
    sentences = sentences_by_rule(response.replace("-", " "))
    return all(part == own for part, own in zip(response.split("-"), sentences, strict=False))


@verifiers.register("detectable_format:square_brackets", unwrap=True)
def square_brackets(response: str) -> bool:
    """Each word, between white space, stands in square brackets of its own."""
    return all(word.startswith("[") and word.endswith("]") for word in response.split())


@verifiers.register("detectable_format:bigram_wrapping", unwrap=True)
def bigram_wrapping(response: str) -> bool:
    """The words, two by two, stand in `<<double angular brackets>>`; an odd last one need not."""
    words = response.split()
    pairs = zip(words[::2], words[1::2], strict=False)
    return all(one.startswith("<<") and other.endswith(">>") for one, other in pairs)
