"""nltk's data as the tests of IFBench have them: a made-up list of stop words and tagger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from uniapl_cli.verifiers import nltk_data, text
from uniapl_cli.verifiers.stopwords import stopwords
from uniapl_cli.verifiers.tagger import NAME, load_tagger

# Of a few features: a word is a noun, but one behind which "home" comes is a verb.
WEIGHTS = {
    "bias": {"NN": 0.5},
    "i+1 word home": {"VB": 1.0},
    "i word home": {"NN": 2.0},
    "i word !YEAR": {"JJ": 3.0},
    "i word !HYPHEN": {"VBD": 3.0},
    "i+1 word !DIGITS": {"VB": 0.7, "VBD": 0.7},
    "i+2 word -x": {"JJ": 0.9},
}


def forget() -> None:
    """Make the next call look for nltk's data again."""
    text.forget_splitter()
    stopwords.cache_clear()
    load_tagger.cache_clear()


@pytest.fixture
def without_nltk_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty folder, the only one where nltk's data are looked for."""
    monkeypatch.setattr("nltk.data.path", [str(tmp_path)])
    monkeypatch.setattr(nltk_data, "_bundled", lambda: None)
    forget()
    yield tmp_path
    forget()


@pytest.fixture
def made_up_nltk_data(without_nltk_data: Path) -> Path:
    """A folder with a few stop words, and a tagger that knows "home"."""
    words = without_nltk_data / "corpora" / "stopwords" / "english"
    words.parent.mkdir(parents=True)
    words.write_text("the\nis\non\n")
    folder = without_nltk_data / "taggers" / NAME
    folder.mkdir(parents=True)
    parts = {"weights": WEIGHTS, "tagdict": {"Ran": "VBD"}, "classes": ["JJ", "NN", "VB", "VBD"]}
    for part, value in parts.items():
        (folder / f"{NAME}.{part}.json").write_text(json.dumps(value), "utf-8")
    forget()
    return without_nltk_data
