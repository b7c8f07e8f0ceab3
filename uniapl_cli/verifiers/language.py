"""Detects the language of a text with langdetect, seeded: equal texts get equal verdicts.

The official code leaves langdetect unseeded, so its verdicts vary from run to run; about 2% of ours
can differ from those of any one official run. The detector is langdetect's own; only what takes its
time is done another way, to the same bits.
"""

from __future__ import annotations

import json
import threading
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

_lock = threading.Lock()


@cache
def languages() -> frozenset[str]:
    """Return the codes that langdetect knows: "en", "zh-cn"."""
    return frozenset(file.name for file in files("langdetect").joinpath("profiles").iterdir())


@lru_cache(maxsize=64)
def detect(text: str) -> str | None:
    """Return the code of the language of `text`, or None if it has no features to tell by."""
    from langdetect.lang_detect_exception import LangDetectException

    with _lock:
        detector = _factory().create()
    try:
        detector.append(text)
        language: str = detector.detect()
        return language
    except LangDetectException:
        return None


def is_in(text: str, language: str) -> bool:
    """Whether `text` is in `language`. As officially, text without features is in every one."""
    return detect(text) in (language, None)


@cache
def _factory() -> Any:
    """Load the profiles in a fixed order, seeded, and apart from langdetect's global state."""
    from langdetect.detector_factory import DetectorFactory

    from uniapl_cli.verifiers.detector import Likelihoods, QuickDetector

    class Factory(DetectorFactory):
        def _create_detector(self) -> QuickDetector:
            return QuickDetector(self)

    folder = files("langdetect").joinpath("profiles")
    profiles = [json.loads((folder / name).read_text("utf-8")) for name in sorted(languages())]
    factory = Factory()
    factory.langlist = [profile["name"] for profile in profiles]
    factory.word_lang_prob_map = Likelihoods(profiles)
    factory.set_seed(0)
    return factory
