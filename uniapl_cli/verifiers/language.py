"""Which language a response is in, by langdetect; and the instruction that asks for one.

The official code leaves langdetect unseeded, so that it draws: here the same text always gets the
same verdict, and about 2% of the verdicts can differ from those of a given official run.
"""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from importlib.resources import files
from typing import Annotated, Any

from pydantic import AfterValidator

from uniapl_cli.errors import unknown
from uniapl_cli.verifiers.instructions import verifiers

_lock = threading.Lock()


@cache
def languages() -> frozenset[str]:
    """Return the codes that langdetect knows: "en", "zh-cn"."""
    return frozenset(file.name for file in files("langdetect").joinpath("profiles").iterdir())


@lru_cache(maxsize=64)
def detect(text: str) -> str | None:
    """Return the code of the language of `text`, or None where nothing can be told from it."""
    from langdetect.lang_detect_exception import LangDetectException

    with _lock:
        detector = _factory().create()
    try:
        detector.append(text)
        return detector.detect()
    except LangDetectException:
        return None


def is_in(text: str, language: str) -> bool:
    """Whether `text` is in `language`. As officially, text without features is in any."""
    return detect(text) in (language, None)


@cache
def _factory() -> Any:
    """Load the profiles in a fixed order, seeded, and apart from langdetect's global state."""
    from langdetect.detector_factory import DetectorFactory

    folder = files("langdetect").joinpath("profiles")
    factory = DetectorFactory()
    factory.load_json_profile([(folder / name).read_text("utf-8") for name in sorted(languages())])
    factory.set_seed(0)
    return factory


def _known(language: str) -> str:
    if language not in languages():
        raise ValueError(unknown("language", language, languages()))
    return language


@verifiers.register("language:response_language")
def response_language(response: str, *, language: Annotated[str, AfterValidator(_known)]) -> bool:
    """The whole response is in `language`, one of langdetect's codes."""
    return is_in(response, language)
