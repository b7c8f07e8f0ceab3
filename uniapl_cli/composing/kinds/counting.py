"""Instructions on how many letters, words and sentences there are."""

from __future__ import annotations

from typing import Any

from uniapl_cli.composing.kind import Deck, Kind, Kwargs, Need, constant

# English has each of the first several times in a sentence, and the others now and then.
_COMMON, _RARE = "aeionrst", "bfgkpvwy"
# Words among which one rare letter, or a common one, is found.
_OF_RARE, _OF_COMMON = 25, 5
_SHORT_SENTENCE, _LONG_SENTENCE = 7, 14
_LETTERS_A_WORD = 6


def _letter(count: str, relation: str) -> Any:
    def draw(deck: Deck) -> dict[str, Any]:
        drawn = deck.bound(count, relation, range(5, 31), range(3, 9))
        pool = _COMMON if drawn[relation] == "at least" else _RARE
        return {"letter": deck.one(pool), **drawn}

    return draw


def _need_letter(kwargs: Kwargs) -> Need:
    letter, count = kwargs["letter"], kwargs["let_frequency"]
    claim = (f"letter {letter}",)
    if kwargs["let_relation"] == "at least":
        return Need(least=_OF_COMMON * count, claims=claim)
    return Need(most=_OF_RARE * count, letters={letter: count}, claims=claim)


def _need_letters(kwargs: Kwargs) -> Need:
    if kwargs["relation"] == "at least":
        return Need(least=kwargs["N"] // 4)
    return Need(most=kwargs["N"] // _LETTERS_A_WORD)


def _need_words(kwargs: Kwargs) -> Need:
    count = kwargs["num_words"]
    return Need(least=count) if kwargs["relation"] == "at least" else Need(most=count - 1)


def _need_sentences(kwargs: Kwargs) -> Need:
    count = kwargs["num_sentences"]
    if kwargs["relation"] == "at least":
        return Need(least=_SHORT_SENTENCE * count)
    return Need(most=_LONG_SENTENCE * (count - 1))


def _need_capitals(kwargs: Kwargs) -> Need:
    count = kwargs["capital_frequency"]
    if kwargs["capital_relation"] == "at least":
        return Need(words=count, claims=("case",))
    return Need(capitals=count, claims=("case",))


COUNTING = (
    Kind(
        "length_constraints:number_words",
        (
            "Word count: {bound}.",
            "Keep an eye on the length, which is to be {bound} words.",
            "Somebody who counts your words should find {bound} of them.",
        ),
        lambda deck: deck.bound("num_words", "relation", range(20, 201, 5), range(30, 251, 5)),
        _need_words,
    ),
    Kind(
        "length_constraints:number_sentences",
        (
            "Write {bound} sentences.",
            "Your text should run to {bound} sentences.",
            "Sentences wanted: {bound}.",
        ),
        lambda deck: deck.bound("num_sentences", "relation", range(3, 13), range(4, 13)),
        _need_sentences,
    ),
    Kind(
        "keywords:letter_frequency",
        (
            "Capital or small, the letter {letter} has to occur {bound} times.",
            "Use the letter {letter}, in whichever case, {bound} times.",
            "If one counts every {letter} in your text, capitals too, the sum must be {bound}.",
        ),
        _letter("let_frequency", "let_relation"),
        _need_letter,
    ),
    Kind(
        "letters:letter_counting2",
        (
            "See to it that the letter {letter} turns up {bound} times, whatever its case.",
            "Choose your words so that the letter {letter} adds up to {bound}, capitals included.",
            "Of the letter {letter}, whether capital or not, there have to be {bound}.",
        ),
        _letter("let_frequency", "let_relation"),
        _need_letter,
    ),
    Kind(
        "letters:letter_counting",
        (
            "All letters together, without digits and marks, must number {bound}.",
            "The whole text has to have {bound} letters.",
            "Mind the letters, not the words: {bound} of them from start to end.",
        ),
        lambda deck: deck.bound("N", "relation", range(50, 601, 10), range(200, 1201, 20)),
        _need_letters,
    ),
    Kind(
        "count:lowercase_counting",
        (
            "Words made of small letters alone may come up {N} times at most, all of them counted"
            " together.",
            "Allow yourself a maximum of {N} words in lower case; give the others a capital.",
            "No more than {N} of the words may do without a capital letter.",
        ),
        lambda deck: {"N": deck.number(5, 40)},
        constant(claims=("case",)),
    ),
    Kind(
        "change_case:capital_word_frequency",
        (
            "Put words in capitals throughout, like THIS: {bound} of them.",
            "Words that are spelt with capital letters only should number {bound}.",
            "Shout now and then: the count of words in full capitals is to be {bound}.",
        ),
        lambda deck: deck.bound(
            "capital_frequency", "capital_relation", range(2, 11), range(4, 13)
        ),
        _need_capitals,
    ),
    Kind(
        "count:count_unique",
        (
            "Every word may be used only once, and so may each mark of punctuation.",
            "Do not repeat anything: no word twice, no punctuation mark twice.",
            "Let all words and marks of the text be different from one another.",
        ),
    ),
    Kind(
        "count:counting_composition",
        (
            "Write three paragraphs with *** between them, of {n_sent} sentences each; every "
            "sentence has {n_words} words, where a mark of punctuation, such as the full stop, "
            "counts as one.",
            "Three paragraphs, parted by ***, are needed. Number of sentences in each: {n_sent}. "
            "Number of words in each sentence, marks of punctuation counted too: {n_words}.",
            "Divide the text by *** into three paragraphs; let a paragraph have {n_sent} "
            "sentences and a sentence {n_words} words, the full stop and any other mark being a "
            "word as well.",
        ),
        lambda deck: {"n_sent": deck.number(2, 4), "n_words": deck.number(5, 11)},
        constant(claims=("paragraphs",)),
    ),
)
