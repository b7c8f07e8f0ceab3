"""The instructions that rows are composed of: IFEval's 25 and IFEvalG's 29."""

from __future__ import annotations

from collections.abc import Mapping

from uniapl_cli.composing.kind import Kind
from uniapl_cli.composing.kinds.copying import COPYING
from uniapl_cli.composing.kinds.counting import COUNTING
from uniapl_cli.composing.kinds.ends import ENDS
from uniapl_cli.composing.kinds.layout import LAYOUT
from uniapl_cli.composing.kinds.style import STYLE
from uniapl_cli.composing.kinds.words import WORDS

KINDS: Mapping[str, Kind] = {
    kind.id: kind for kinds in (WORDS, COUNTING, LAYOUT, ENDS, STYLE, COPYING) for kind in kinds
}
# Those that IFEvalG has beyond IFEval, each group in this file's order.
_BEYOND = {
    *("copy:repeat_phrase", "copy:copy", "copy:copying_simple", "copy:copying_multiple"),
    *("new:copy_span_idx", "detectable_format:sentence_hyphens"),
    *("detectable_format:square_brackets", "detectable_format:bigram_wrapping"),
    *("keywords:no_adjacent_consecutive", "keywords:word_once", "keywords:palindrome"),
    *("keywords:word_count_different_numbers", "keywords:exclude_word_harder"),
    *("keywords:keyword_specific_position", "keywords:start_end", "paragraphs:paragraphs"),
    *("paragraphs:paragraphs2", "first_word:first_word_sent", "first_word:first_word_answer"),
    *("last_word:last_word_sent", "last_word:last_word_answer", "punctuation:punctuation_dot"),
    *("punctuation:punctuation_exclamation", "count:lowercase_counting"),
    *("count:counting_composition", "count:count_unique", "count:count_increment_word"),
    *("letters:letter_counting", "letters:letter_counting2"),
}
GROUPS: Mapping[str, tuple[str, ...]] = {
    "ifeval": tuple(id for id in KINDS if id not in _BEYOND),
    "ifevalg": tuple(id for id in KINDS if id in _BEYOND),
}
