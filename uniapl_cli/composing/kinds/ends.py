"""Instructions on how a text, its sentences or its paragraphs start and end."""

from __future__ import annotations

from uniapl_cli.composing.kind import Kind, Need, constant
from uniapl_cli.composing.lexicon import CLOSINGS, FIRST_WORDS, LAST_WORDS

ENDS = (
    Kind(
        "startend:end_checker",
        (
            "Close with the words {end_phrase} and write nothing after them.",
            "Let {end_phrase} be the last thing that one reads.",
            "After everything else put {end_phrase} and stop there.",
        ),
        lambda deck: {"end_phrase": deck.word(CLOSINGS)},
        lambda kwargs: Need(words=5, texts=(kwargs["end_phrase"],), claims=("end",)),
    ),
    Kind(
        "startend:quotation",
        (
            "Enclose all that you write in one pair of double quotation marks.",
            "Open with a double quotation mark and close with another.",
            "Set the text as a quotation: straight double quotes in front of it and behind it.",
        ),
        need=constant(claims=("start", "end")),
    ),
    Kind(
        "first_word:first_word_answer",
        (
            "Let {first_word} be the very first word, with no mark of punctuation on it.",
            "Open with the word {first_word}, followed by a space.",
            "Your text has to start with {first_word}, and a space comes after it.",
        ),
        lambda deck: {"first_word": deck.word(FIRST_WORDS)},
        lambda kwargs: Need(words=1, texts=(kwargs["first_word"],), claims=("start",)),
    ),
    Kind(
        "first_word:first_word_sent",
        (
            "Every sentence has to open with {first_word} and a space.",
            "Use {first_word} to begin each of your sentences, with no mark attached to it.",
            "However many sentences there are, {first_word} is the first word in all of them, "
            "and no comma follows it.",
        ),
        lambda deck: {"first_word": deck.word(FIRST_WORDS)},
        lambda kwargs: Need(texts=(kwargs["first_word"],), claims=("start",)),
    ),
    Kind(
        "last_word:last_word_answer",
        (
            "Let {last_word} be the very last word.",
            "Nothing but a mark of punctuation may follow {last_word}, the word that you end on.",
            "Finish your text on the word {last_word}.",
        ),
        lambda deck: {"last_word": deck.word(LAST_WORDS)},
        lambda kwargs: Need(words=1, texts=(kwargs["last_word"],), claims=("end",)),
    ),
    Kind(
        "last_word:last_word_sent",
        (
            "Every sentence has to end on {last_word}.",
            "Use {last_word} to end each of your sentences.",
            "However many sentences there are, {last_word} is the final word in all of them.",
        ),
        lambda deck: {"last_word": deck.word(LAST_WORDS)},
        lambda kwargs: Need(texts=(kwargs["last_word"],), claims=("end",)),
    ),
    Kind(
        "keywords:start_end",
        (
            "The word that you open with must also close the text, with no punctuation behind it.",
            "Come full circle: the first word and the last are one, and no mark follows the last.",
            "Begin and finish with the same word, and leave out the final full stop.",
        ),
        need=constant(words=2, claims=("start", "end")),
    ),
    Kind(
        "detectable_content:postscript",
        (
            "Below your text, add a note that begins with {postscript_marker} and says one thing "
            "more.",
            "Put a remark headed {postscript_marker} below everything else.",
            "Do not forget an afterthought, introduced by {postscript_marker}, at the bottom.",
        ),
        lambda deck: {"postscript_marker": deck.one(("P.S.", "P.P.S"))},
        lambda kwargs: Need(words=5, texts=(kwargs["postscript_marker"],), claims=("end",)),
    ),
)
