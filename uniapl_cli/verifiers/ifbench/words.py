"""words:* of IFBench: letters, lengths, order and place of words."""

from __future__ import annotations

import re
import string
from collections import Counter
from itertools import islice, pairwise

from pydantic import NonNegativeInt, PositiveInt

from uniapl_cli.verifiers import needs
from uniapl_cli.verifiers.ifbench.marks import EDGES, without_marks
from uniapl_cli.verifiers.kwargs import Text
from uniapl_cli.verifiers.registry import verifiers
from uniapl_cli.verifiers.tagger import AHEAD, NAME, load_tagger
from uniapl_cli.verifiers.text import sentences
from uniapl_cli.verifiers.text import words as tokens
from uniapl_cli.verifiers.treebank import split_words

_ALPHABET = string.ascii_lowercase
_CLUSTER = re.compile(r"[bcdfghjklmnpqrstvwxyz]{2}")
_PRIMES = frozenset(n for n in range(2, 100) if all(n % divisor for divisor in range(2, n)))
_PALINDROMES, _PALINDROME_LENGTH = 10, 5
_VOWELS = 3
_TAGS = needs.data(NAME, lambda: load_tagger() is not None)


@verifiers.register("words:alphabet", evaluation=True)
def alphabet(response: str) -> bool:
    """Each word begins with the next letter of the alphabet, from any one on, A after Z."""
    words = without_marks(response).split()
    start = _ALPHABET.find(words[0][0].lower()) if words else -1
    return start >= 0 and all(
        word.lower()[0] == _ALPHABET[number % len(_ALPHABET)]
        for number, word in enumerate(words[1:], start + 1)
    )


@verifiers.register("words:consonants", evaluation=True)
def consonants(response: str) -> bool:
    """Each word has two consonants side by side, y being one."""
    return all(_CLUSTER.search(word) for word in response.lower().split())


@verifiers.register("words:keywords_specific_position", evaluation=True)
def keywords_specific_position(
    response: str, *, keyword: Text, n: PositiveInt, m: PositiveInt
) -> bool:
    """The keyword is the mth word of the nth sentence, in any case; "can't" is "ca" and "n't"."""
    split = sentences(response)
    if len(split) < n:
        return False
    words = [token for token in tokens(split[n - 1]) if any(map(str.isalnum, token))]
    return m <= len(words) and words[m - 1].lower() == keyword.strip().lower()


@verifiers.register("words:last_first", evaluation=True)
def last_first(response: str) -> bool:
    """Each sentence begins with the last word of the one before it, in any case."""
    for one, other in pairwise(sentences(response)):
        last, first = one.rstrip(EDGES).split()[-1:], other.lstrip(EDGES).split()[:1]
        if not last or not first or last[0].lower() != first[0].lower():
            return False
    return True


@verifiers.register("words:no_consecutive", evaluation=True)
def no_consecutive(response: str) -> bool:
    """No word begins like the one before it."""
    words = without_marks(response.lower()).split()
    return all(one[0] != other[0] for one, other in pairwise(words))


@verifiers.register("words:odd_even_syllables", evaluation=True, needs=needs.package("syllapy"))
def odd_even_syllables(response: str) -> bool:
    """Words with an odd and with an even number of syllables take turns, as syllapy counts them."""
    import syllapy

    words = without_marks(response).lower().split()
    return all(one != other for one, other in pairwise(syllapy.count(w) % 2 for w in words))


@verifiers.register("words:palindrome", evaluation=True)
def palindrome(response: str) -> bool:
    """At least 10 palindromes of 5 characters or more occur; the same one counts each time."""
    words = without_marks(response).lower().split()
    found = (w for w in words if len(w) >= _PALINDROME_LENGTH and w == w[::-1])
    return len(list(islice(found, _PALINDROMES))) == _PALINDROMES


@verifiers.register("words:paragraph_last_first", evaluation=True)
def paragraph_last_first(response: str) -> bool:
    """Each line ends with the word that it begins with, in any case."""
    lines = (line.strip().lower().strip(EDGES).split() for line in response.split("\n"))
    return all(not words or words[0] == words[-1] for words in lines)


@verifiers.register("words:prime_lengths", evaluation=True)
def prime_lengths(response: str) -> bool:
    """Each word's length is a prime number below 100."""
    return all(len(word) in _PRIMES for word in without_marks(response).split())


@verifiers.register("words:repeats", evaluation=True)
def repeats(response: str, *, small_n: NonNegativeInt) -> bool:
    """No word occurs more than `small_n` times, in any case."""
    counts = Counter(without_marks(response.lower()).split())
    return all(count <= small_n for count in counts.values())


@verifiers.register("words:start_verb", evaluation=True, needs=_TAGS)
def start_verb(response: str) -> bool:
    """The first word is a verb, as nltk's tagger tags it."""
    tagger = load_tagger()
    assert tagger is not None, "what the verifier needs was looked for"
    every = (token for sentence in sentences(response) for token in split_words(sentence))
    first = list(islice(every, 1 + AHEAD))
    return bool(first) and "VB" in tagger.first_tag(first)


@verifiers.register("words:vowel", evaluation=True)
def vowel(response: str) -> bool:
    """The response is one line with at most three of the vowels a, e, i, o, u."""
    text = response.strip()
    return "\n" not in text and len(set("aeiou").intersection(text.lower())) <= _VOWELS


@verifiers.register("words:words_position", evaluation=True)
def words_position(response: str, *, keyword: Text) -> bool:
    """The second word and the last but one are the keyword, in any case.

    A final mark is left out. An error kept: any other mark is a word.
    """
    words = tokens(response)
    if words and words[-1] in string.punctuation:
        del words[-1]
    wanted = keyword.strip().lower()
    return len(words) > 1 and words[1].lower() == words[-2].lower() == wanted
