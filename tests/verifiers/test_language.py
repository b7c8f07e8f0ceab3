import threading

import pytest

from uniapl_cli.verifiers import language


@pytest.mark.parametrize(
    ("code", "response", "expected"),
    [
        ("de", "Dies ist ein einfacher deutscher Satz über das Wetter.", True),
        ("en", "Dies ist ein einfacher deutscher Satz über das Wetter.", False),
        ("hi", "यह हिन्दी में लिखा हुआ एक वाक्य है।", True),
        ("hi", "42 ... !", True),  # nothing can be told from it: followed, as officially
    ],
)
def test_response_language(follows, code, response, expected):
    assert follows("language:response_language", response, language=code) is expected


def test_there_are_langdetects_55_languages():
    assert len(language.languages()) == 55
    assert {"en", "zh-cn", "zh-tw"} <= language.languages()


def test_detection_does_not_depend_on_what_was_asked_before_or_on_threads():
    texts = [f"ok no {word} la" for word in ("de", "si", "est", "mi", "tu", "na", "po", "do")]
    alone = [language.detect(text) for text in texts]
    language.detect.cache_clear()
    language._factory.cache_clear()
    detected: dict[str, str | None] = {}

    def ask(text):
        detected[text] = language.detect(text)

    threads = [threading.Thread(target=ask, args=(text,)) for text in reversed(texts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [detected[text] for text in texts] == alone


def test_other_users_of_langdetect_keep_their_own_seed():
    from langdetect import DetectorFactory

    language.detect("whatever it may be")
    assert DetectorFactory.seed is None
