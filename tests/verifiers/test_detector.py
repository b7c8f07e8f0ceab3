"""The detector against langdetect's own, on texts in several scripts."""

import random
from pathlib import Path

import pytest
from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from langdetect.lang_detect_exception import LangDetectException

from uniapl_cli.verifiers import language
from uniapl_cli.verifiers.detector import QuickDetector

SENTENCES = [
    "This is a plain sentence about the weather, the sea and a NASA rocket.",
    "THE WHOLE SENTENCE IS WRITTEN IN CAPITALS, AS THE PROMPT WANTS IT.",
    "Dies ist ein Satz über das Wetter.",
    "Une phrase à propos de la météo et de l’été.",
    "Это предложение о погоде и о море.",
    "यह मौसम के बारे में एक वाक्य है।",
    "これは天気についての文章です。カタカナも。",
    "这是一个关于天气的句子。",
    "이것은 날씨에 관한 문장입니다.",
    "هذه جملة عن الطقس ی.",
    "Ðây là một câu về thời tiết e\u0301.",
    "mail me@example.com or see https://example.com/a?b=c  now",
    "42 ... !",
    "  ",
]


@pytest.fixture(scope="module")
def official():
    factory = DetectorFactory()
    files = sorted(Path(PROFILES_DIRECTORY).iterdir())
    factory.load_json_profile([file.read_text("utf-8") for file in files])
    factory.set_seed(0)
    return factory


def texts() -> list[str]:
    rng = random.Random(0)
    mixed = [" ".join(rng.sample(SENTENCES, rng.randint(1, 4))) for _ in range(60)]
    short = ["".join(rng.sample(rng.choice(SENTENCES), 2)) for _ in range(60)]
    return [*SENTENCES, *mixed, *short, "x y " * 4000]


def test_the_language_is_langdetects(official):
    def detect(text: str) -> str | None:
        detector = official.create()
        detector.append(text)
        try:
            return detector.detect()
        except LangDetectException:
            return None

    language.detect.cache_clear()
    ours = [language.detect(text) for text in texts()]
    assert ours == [detect(text) for text in texts()]
    assert len(set(ours)) > 10


def test_n_grams_and_likelihoods_are_langdetects(official):
    ours = language._factory()
    for text in texts():
        quick, detector = QuickDetector(ours), official.create()
        for one in (quick, detector):
            one.append(text)
            one.cleaning_text()
        grams = quick._extract_ngrams()
        assert (quick.text, grams) == (detector.text, detector._extract_ngrams())
        assert all(quick.rows[g] == official.word_lang_prob_map[g] for g in grams)
