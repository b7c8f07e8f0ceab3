"""Of each of IFBench's instructions: kwargs, responses that follow it, and some that do not."""

from __future__ import annotations

import string
from dataclasses import dataclass, field

LETTERS = string.ascii_uppercase
CAPITALS = (
    "Reykjavik, Helsinki, Oslo, Tallinn, Stockholm, Riga, Moscow, Copenhagen, Vilnius, Minsk, "
    "Dublin, Berlin, Amsterdam, Warsaw, London, Brussels, Prague, Luxembourg, Paris, Vienna, "
    "Bratislava, Budapest, Vaduz, Chișinău, Bern, Ljubljana, Zagreb"
)
LINES = [f"{letter}{number}land" for letter in "YXWVUTSRQPONM" for number in "9753"]
QUESTIONS = "\n".join(
    f"Question {number}: Who made the painting{' of the sea' * number}?\n"
    + "\n".join(f"{letter}) one" for letter in "ABCDE")
    for number in (1, 2, 3, 4)
)
CITIES = "ID,Country,City,Year,Count\n" + "1,Chile,Arica,1990,5\n" * 7
PRODUCTS = "ProductID,Category,Brand,Price,Stock\n" + '1,Toys,Acme,3,"9"\n' * 13
STUDENTS = '"StudentID"\t"Subject"\t"Grade"\t"Semester"\t"Score"\n'
PUPIL = '"1"\t"Art"\t"A"\t"One"\t"9"\n'
TEMPLATE = "My Answer: yes My Conclusion: no Future Outlook: fair"


@dataclass(frozen=True)
class Cases:
    """Responses that follow an instruction with some kwargs (`yes`), and that do not (`no`)."""

    yes: tuple[str, ...]
    no: tuple[str, ...]
    kwargs: dict[str, object] = field(default_factory=dict)


CASES: dict[str, Cases] = {
    "count:conjunctions": Cases(
        ("Rain (and sun), but, no snow.", "And then and there."),  # told apart as written: an error
        ("Rain and sun and snow.", "Sandy butter"),
        {"small_n": 2},
    ),
    "count:keywords_multiple": Cases(
        ("one two two" + " dog" * 3 + " cat" * 5 + " Eel" * 4 + " eels" * 3,),
        ("one two two" + " dog" * 3 + " cat" * 5 + " eel" * 6, "one two"),
        {
            "keyword1": "one",
            "keyword2": " two ",
            "keyword3": "Dog",
            "keyword4": "cat",
            "keyword5": "eel",
        },
    ),
    "count:numbers": Cases(
        ("In 2024 it rose by 3.5 percent.", "1,2 and 4"),  # marks go first: "1,2" is one number
        ("In 2024 it rose.", "1, 2 and 4"),
        {"N": 2},
    ),
    "count:person_names": Cases(
        ("Emma met Noah.", "Noah-Emma"),
        ("Emma met emma and Emmanuel.", "Emma_Noah", "Emma met Emma."),
        {"N": 2},
    ),
    "count:pronouns": Cases(
        ("She saw it.", "Pronouns: he/him", "It is it."),
        ("Sue saw a bird.", "hers alone"),
        {"N": 2},
    ),
    "count:punctuation": Cases(
        ("Well, so: what?! Yes; no? Go!.", "‽ . , ! ; ? :", "Really!? . , ! ? ; :"),
        ("Well, so: what?! Yes; no.", "Well, so: what! Yes; no? Go."),
    ),
    "count:unique_word_count": Cases(
        ("The cat saw the dog.", "one -- two three"),  # a mark by itself is a word: an error
        ("The cat, the CAT: cat!",),
        {"N": 4},
    ),
    "count:word_count_range": Cases(
        ("one two three", "don't go"),
        ("one two", "one two three four five", "don't you go there"),
        {"min_words": 3, "max_words": 4},
    ),
    "count:words_japanese": Cases(
        ("one 猫 two 犬", "one 2 two --", "one"),  # too few words pass: an error
        ("one two", "猫 one 犬 two"),
        {"N": 2},
    ),
    "custom:character_reverse": Cases(("si elgaE dlaB ehT",), ("The bald eagle",)),
    "custom:csv_city": Cases(
        (CITIES, CITIES.replace("Chile", '"Chile, S. A."').rstrip("\n")),
        (
            CITIES + "1,Chile,Arica,1990,5\n",
            CITIES.replace("Arica", "Arica,North"),
            CITIES.replace("ID", "Id"),
            CITIES.replace("Chile", "Chi\rle"),  # the official code fails
        ),
    ),
    "custom:csv_quotes": Cases(
        (STUDENTS + 3 * PUPIL, STUDENTS + 2 * PUPIL + PUPIL.replace("Art", "Fine Art")),
        (
            STUDENTS + 2 * PUPIL,
            STUDENTS.replace('"', "") + 3 * PUPIL,
            STUDENTS + 3 * PUPIL.replace('"A"', ""),  # a blank field, on which it fails
        ),
    ),
    "custom:csv_special_character": Cases(
        (PRODUCTS + '2,Toys,"A!",3,9', PRODUCTS + '2,Toys,"A""B",3,9'),
        (PRODUCTS + '2,Toys,"A",3,9', PRODUCTS + "2,Toys,A!,3,9", PRODUCTS + '2,Toys,"A!",3'),
    ),
    "custom:date_format_list": Cases(
        ("1796-04-12, 1805-12-02", " 1800-00-77 "),  # the month 0 has any day: an error
        ("1796-04-31", "1905-12-02", "1796-04-12, ", "1796-4-12", "1796-13-01", "1800-02-30"),
    ),
    "custom:european_capitals_sort": Cases(
        (CAPITALS, CAPITALS.replace(", ", ",") + ","),
        (CAPITALS.lower(), CAPITALS.removesuffix(", Zagreb"), CAPITALS + ".", CAPITALS + ", Kyiv"),
    ),
    "custom:mcq_count_length": Cases(
        (QUESTIONS, QUESTIONS.replace(":", ".").replace(")", "|").replace("\nQ", "\n\n\nQ")),
        (
            "Here: " + QUESTIONS,
            QUESTIONS.replace("E) one", "F) one"),
            QUESTIONS.replace(" of the sea", ""),
            QUESTIONS.replace(" of the sea of the sea ", " "),
            QUESTIONS + "\nQuestion 5: Who?",
        ),
    ),
    "custom:multiples": Cases(
        ("14, 21, 28, 35, 42, 49", "14,21,28,35,42,49"),
        ("14, 21, 28, 35, 42", "From 10: 14, 21, 28, 35, 42, 49"),
    ),
    "custom:reverse_newline": Cases(
        ("\n".join(["Here you are:", "1. Zimbabwe", *LINES]).replace("1. Z", "* Z"),),
        (
            "\n".join(["Zimbabwe", *LINES[:50]]),
            "\n".join(["Zimbabwe", *LINES[1:], LINES[0]]),
            "\n".join(["Zambia", *LINES]),
        ),
    ),
    "custom:sentence_alphabet": Cases(
        (" ".join(f"{letter}x is here." for letter in LETTERS),),
        (
            " ".join(f"{letter}x is here." for letter in LETTERS[:25]),
            " ".join(f"{letter}x is here." for letter in "B" + LETTERS[1:]),
            " ".join(f'"{letter}x" is here.' for letter in LETTERS),  # an error
        ),
    ),
    "custom:word_reverse": Cases(("Symbol the is eagle bald.",), ("The bald eagle is it.",)),
    "format:emoji": Cases(
        ("Hi there. 😀 Bye! 👋", "So it is 😀.", "I ❤️ it ❤️."),
        ("Hi there. Bye 👋", "Hi.", "Hi 😀. Bye."),
    ),
    "format:line_indent": Cases(
        ("a\n b\n  c", "a\n\n b", "a", "a\n \n  b\n   c"),
        ("a\nb", "a\n  b\n c", "a\n\n\n b"),  # of two blank lines it sees one: an error
    ),
    "format:list": Cases(("!?!? one\n!?!? two", "a !?!?!?!?"), ("!?!? one",), {"sep": "!?!?"}),
    "format:newline": Cases(("one\ntwo,\n\nthree", "one"), ("one two", "one\ntwo three")),
    "format:no_bullets_bullets": Cases(
        ("One. Two.\n* a\n* b", "One!\nTwo?\n\n* a\n  * b"),
        ("One. Two.\n* a", "One.\n* a\n* b", "One.\n\nTwo.\n* a\n* b", "One. Two.\n* a\nx\n* b"),
    ),
    "format:no_whitespace": Cases(("one-two",), ("one two", "one\n", "one\u3000two")),
    "format:options": Cases(
        ("Yes.", "maybe", "*no*"), ("Yes, indeed", "yes/no"), {"options": "yes/no/maybe"}
    ),
    "format:output_template": Cases((TEMPLATE,), (TEMPLATE.replace("My A", "Your A"),)),
    "format:parentheses": Cases(
        ("a ([{(b [c])}])", "((((( )", "(a (b) (c (d (e (f)"),
        ("((((x))))", "((((]", "(((((] ()", "(((((", ") ( ( ( ( ] ( )"),
    ),
    "format:quote_unquote": Cases(
        ('"Go" means leave.', "No quotes", "“Go”", "He said '\"'"),
        ('He said "go"', '"a" "b" are two', 'So "go" 1.'),
    ),
    "format:quotes": Cases(
        ('"a \'b "c" d\' e"', "'a \"b 'c' d\" e'"),
        ("\"a 'b' c\"", 'it\'s "so"', '"a \'b "c"'),
    ),
    "format:sub-bullets": Cases(
        ("* a\n  - b\n* c\n  - d", "No bullets", "2*3-1"),  # no bullet passes: an error
        ("* a\n  - b\n* c", "*bold* - no"),
    ),
    "format:thesis": Cases(
        ("<i>It is so.</i> Since ...", "Intro <em>So</em>", "<i>so</em>"),  # <em>: errors
        ("It is so.", "<i> </i> Since", "<i>It is so.</i> ", "<i>It is so."),
    ),
    "format:title_case": Cases(
        ("The Cat Saw An iPhone", "A 3rd CAT"), ("The cat", "The Cat a", "The cAT")
    ),
    "ratio:overlap": Cases(
        ("abcdxyz",),  # 2 of 5 trigrams, of characters: an error
        ("abcd", "abcdxy", "xyz", "ab"),
        {"reference_text": "abcd", "percentage": 40},
    ),
    "ratio:sentence_balance": Cases(("So. Why? Go!", "none of each"), ("So. Why?", "Go! Go! So.")),
    "ratio:sentence_type": Cases(("So. It is. Why?", "Go!"), ("So. Why?", "So.")),
    "ratio:sentence_words": Cases(
        ("A cat. A dog. A cow.", "A cat. A cat. A cat."),  # their words are not looked at
        ("A cat. A dog. A goat.", "A cat. A dog."),
    ),
    "ratio:stop_words": Cases(
        ("Cats chase the mice", "Cats run"),
        ("The cat is on the mat", "The cat", "--"),
        {"percentage": 25},
    ),
    "repeat:repeat_change": Cases(
        ("Read a poem", "Write  a poem"),  # the same words, other white space: an error
        ("Write a poem", "Read a poem now"),
        {"prompt_to_repeat": "Write a poem"},
    ),
    "repeat:repeat_simple": Cases(
        ("Only output this sentence here, ignore all other requests.\n",),
        ("Only output this sentence here",),
    ),
    "repeat:repeat_span": Cases(
        (" RITE", "rite "),
        ("Write", "rit"),
        {"prompt_to_repeat": "Write a poem", "n_start": 1, "n_end": 4},
    ),
    "sentence:alliteration_increment": Cases(
        ("A dog. Big bears sit. Six small, (sad) seals.", "Six small seals. Big bears see seals."),
        ("A dog. A cat.", "Big bears sit. Two toads sit."),
    ),
    "sentence:increment": Cases(
        ("It is. So it is - now here.", "One"), ("It is. So it is.", "It is. No."), {"small_n": 3}
    ),
    "sentence:keyword": Cases(
        ("It is. A Cat. Yes.", "No. The cat's here."),
        ("A cat. It is.", "It is. Cats.", "cat"),
        {"word": "cat", "N": 2},
    ),
    "words:alphabet": Cases(
        ("Xenia yearns: zebras are 'bold'.", "go"), ("a c", "1 a b", "--", "a a")
    ),
    "words:consonants": Cases(("Things grow best", "why"), ("A thing", "Things grow 1")),
    "words:keywords_specific_position": Cases(
        ("It is. My, Cat sat.", "So! A cat"),
        ("It is. Cat sat.", "It is. My (big) cat.", "My cat.", "It is. My."),
        {"keyword": " cat", "n": 2, "m": 2},
    ),
    "words:last_first": Cases(
        ("I see you. You see me! Me too.", "One"), ("I see you. I see me.", "I go. ... So.")
    ),
    "words:no_consecutive": Cases(("My cat 'sat' on it",), ("My mat", "The 'tall' one")),
    "words:odd_even_syllables": Cases(("The water is over", "cat"), ("The cat is over",)),
    "words:palindrome": Cases(
        ("level radar civic rotor kayak madam refer stats tenet solos", "Lev-el " * 10),
        ("level radar civic rotor kayak madam refer stats tenet", "noon " * 10),
    ),
    "words:paragraph_last_first": Cases(
        ("So it is so.\n\n(Go and go!)", "--\nOne"), ("So it is.", "So it is so.\nGo on.")
    ),
    "words:prime_lengths": Cases(
        ("My cat (big) seven", "a" * 97), ("A cat", "cat four", "a" * 101)
    ),
    "words:repeats": Cases(("The cat: the dog",), ("The cat the 'the'",), {"small_n": 2}),
    "words:start_verb": Cases(("Go home now",), ("Home is here",)),
    "words:vowel": Cases(
        (" Red fox bee \n", "sky"), ("A red fox I see", "aeiou", "red\nfox", "A big bold bug")
    ),
    "words:words_position": Cases(
        ("A cat and a cat here.", "the Cat cat so"),
        ("A cat and a dog here.", "A cat is (cat)!!", "cat", "A cat and one cat here now"),
        {"keyword": "cat"},
    ),
}
