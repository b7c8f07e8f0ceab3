"""Sentences and words against nltk's own code, on texts made to try every rule."""

import random
import zipfile

import pytest
from nltk.tokenize import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTokenizer

from uniapl_cli.verifiers import text
from uniapl_cli.verifiers.punkt import Punkt, Tables, read_tables
from uniapl_cli.verifiers.treebank import split_words

TABLES = {
    "abbrev_types.txt": "dr\ne.g\nu.s\nst\n",
    "collocations.tab": "##number##\tpark\nst\tlouis\nwell\tthen\nj\tsmith\n",
    "sent_starters.txt": "however\nlater\nhe\n",
    # Bits: 2, 4, 8 upper case at first, within, anywhere; 16, 32, 64 lower case.
    "ortho_context.tab": "the\t34\npark\t4\nmore\t50\nlouis\t36\nthen\t66\nhe\t2\nit\t98\n",
}
WORDS = """
Dr. e.g. U.S. pre-St. J. 3. 3.5 -1,000. A.B. no. Well. ... the The park Park Louis smith However he
It more then a so! why?! end.) end." end.' [end.] “end.” -- . ? ; can't Cannot 'tis gonna d'ye it's
're n't `` '' " ' l’an $5 50% a,b 1:2 x; *x* (y) {z} <t> — café. 你.
"""
GAPS = [" "] * 6 + ["", "\n", "\n\n", "  ", "\t", "\xa0", "\x1c", "\u2028", "."]
LOOPS = ["a. ", ". ", "?! ", '." ', "a.", "Dr. ", "[", "'", "\n", ".\x1c", "- ", "x.  )"]


def texts(count: int) -> list[str]:
    rng, words = random.Random(0), WORDS.split()
    lengths = [rng.randint(1, 12) for _ in range(count)]
    return ["".join(rng.choice(words) + rng.choice(GAPS) for _ in range(n)) for n in lengths]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "data" / text.TABLES
    folder.mkdir(parents=True)
    for name, lines in TABLES.items():
        (folder / name).write_text(lines)
    monkeypatch.setattr("nltk.data.path", [str(tmp_path / "data")])
    return folder


def test_sentences_are_nltks_with_tables_and_without(folder):
    trained, untrained = Punkt(read_tables(folder)), Punkt(Tables())
    theirs, theirs_untrained = PunktTokenizer("english"), PunktSentenceTokenizer()
    split = [(t, trained.split(t), untrained.split(t)) for t in texts(3000)]
    official = [(t, theirs.tokenize(t), theirs_untrained.tokenize(t)) for t, _, _ in split]
    assert [ours for ours, own in zip(split, official, strict=True) if ours != own] == []
    assert sum(one != other for _, one, other in split) > 300


def test_words_are_nltks():
    theirs = NLTKWordTokenizer()
    assert [t for t in texts(3000) if split_words(t) != theirs.tokenize(t)] == []


@pytest.mark.parametrize("loop", LOOPS)
def test_a_response_that_loops_does_not_stall_a_run(loop):
    long = loop * (100_000 // len(loop)) + "y"
    sentences = Punkt(Tables(frozenset(["dr"]))).split(long)
    assert "".join("".join(sentences).split()) == "".join(long.split())
    assert all(map(split_words, sentences))


def test_tables_in_a_zip_file_are_read(folder, tmp_path, monkeypatch):
    packed = tmp_path / "zipped" / "tokenizers" / "punkt_tab.zip"
    packed.parent.mkdir(parents=True)
    with zipfile.ZipFile(packed, "w") as file:
        for name in TABLES:
            file.write(folder / name, f"punkt_tab/english/{name}")
    monkeypatch.setattr("nltk.data.path", [str(tmp_path / "zipped")])
    text.forget_splitter()
    assert text.sentences("Dr. No came. He left.") == ("Dr. No came.", "He left.")
    assert text.splitter_name().startswith("punkt (")
    text.forget_splitter()
