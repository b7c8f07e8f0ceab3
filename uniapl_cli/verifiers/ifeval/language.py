"""language:* of IFEval: the language of the response."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from uniapl_cli.errors import unknown
from uniapl_cli.verifiers.language import is_in, languages
from uniapl_cli.verifiers.registry import verifiers


def _known(language: str) -> str:
    if language not in languages():
        raise ValueError(unknown("language", language, languages()))
    return language


@verifiers.register("language:response_language")
def response_language(response: str, *, language: Annotated[str, AfterValidator(_known)]) -> bool:
    """The whole response is in `language`, one of langdetect's codes."""
    return is_in(response, language)
