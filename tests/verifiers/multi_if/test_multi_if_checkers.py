"""Multi-IF's own checkers: verdicts, what is missing, and texts of a megabyte."""

import time

import pytest

from uniapl_cli.errors import UniAPLError
from uniapl_cli.verifiers import Case, Judge, constraint, verifiers
from uniapl_cli.verifiers.multi_if import needs
from uniapl_cli.verifiers.registry import Verifier

THAI = "แมวนอนอยู่บนหลังคาที่อบอุ่น ทำไมน้ำถึงเย็นขนาดนี้? "
CHINESE = "猫在温暖的屋顶上睡觉。为什么水这么冷？今天市场上的面包很便宜！"
HINDI = "बिल्ली गर्म छत पर सोती है। पानी इतना ठंडा क्यों है? "
WORDS, SENTENCES = "multi_if:number_words", "multi_if:number_sentences"


@pytest.fixture
def without(monkeypatch):
    """without(module): as if it were not installed."""

    def remove(*modules: str) -> None:
        there = needs.installed
        monkeypatch.setattr(needs, "installed", lambda name: name not in modules and there(name))

    return remove


def _checker(name: str) -> Verifier:
    return verifiers[f"multi_if:{name}"].definition


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        *((f"{a}quoted{b}", True) for a, b in ('""', "“”", "「」")),
        *((f" {a}quoted{b}\n", True) for a, b in ('""', "“”", "「」")),
        *((f"{a}quoted{b}", False) for a, b in ('"”', "””", "”“", "「”", "『』", "«»", "„“", "''")),
        *((text, False) for text in ('"', "“", "no", '"quoted". And more')),
        ('""', True),
    ],
)
def test_quotation(follows, response, expected):
    assert follows("multi_if:quotation", response) is expected


def test_a_bound_is_of_the_count_by_language(follows):
    pytest.importorskip("emoji")
    for id, name, count in ((WORDS, "num_words", 28), (SENTENCES, "num_sentences", 3)):
        for relation, bound, expected in (
            ("at least", count, True),
            ("at least", count + 1, False),
            ("less than", count, False),
            ("less than", count + 1, True),
        ):
            assert follows(id, CHINESE, **{name: bound}, relation=relation) is expected


@pytest.mark.parametrize("keyword", ["C++(", "[", "*a"])
@pytest.mark.parametrize("relation", ["less than", "at least"])
def test_a_keyword_that_is_no_pattern_is_never_followed(follows, keyword, relation):
    response = f"{keyword} and {keyword}"
    assert not follows(
        "multi_if:frequency", response, keyword=keyword, frequency=1, relation=relation
    )


def test_any_other_keyword_is_counted_as_ifeval_does(follows):
    for frequency, expected in ((2, True), (3, False)):
        kwargs = {"keyword": "c.t", "frequency": frequency, "relation": "at least"}
        assert follows("multi_if:frequency", "Cat cut", **kwargs) is expected
        assert follows("keywords:frequency", "Cat cut", **kwargs) is expected


@pytest.mark.parametrize(
    ("module", "package", "text", "name"),
    [
        ("pythainlp", "pythainlp", THAI, "number_words"),
        ("pythainlp", "pythainlp", THAI, "number_sentences"),
        ("pycrfsuite", "python-crfsuite", THAI, "number_sentences"),
        ("emoji", "emoji", CHINESE, "number_words"),
    ],
)
def test_without_a_package_there_is_no_verdict_but_its_name(without, module, package, text, name):
    without(module)
    kwargs = {name.replace("number", "num"): 1, "relation": "at least"}
    with pytest.raises(UniAPLError, match=f"{package}.*uniapl.eval"):
        _checker(name)(text, **kwargs)
    judge = Judge()
    (verdict,) = judge([Case(text, [constraint(f"multi_if:{name}", kwargs)])])
    assert not verdict.passed and package in str(verdict.errors[0])
    assert judge.failures == {f"multi_if:{name}": 1}


def test_other_languages_need_no_package(without):
    without("pythainlp", "pycrfsuite", "emoji")
    for text in ("The cat sleeps.", HINDI, "Кошка спит на крыше."):
        assert _checker("number_words")(text, num_words=1, relation="at least")
        assert _checker("number_sentences")(text, num_sentences=1, relation="at least")
    assert _checker("number_sentences")(CHINESE, num_sentences=3, relation="at least")


@pytest.mark.parametrize(
    ("text", "modules", "size"),
    [
        ("The cat sleeps on the warm roof. ", [], 10**6),
        ("Кошка спит на тёплой крыше. ", [], 10**6),
        ("Con mèo ngủ trên mái nhà ấm áp.\n", [], 10**6),
        (HINDI, [], 10**6),
        (CHINESE, ["emoji"], 10**6),
        (CHINESE + "😀", ["emoji"], 10**6),
        (THAI, ["pythainlp", "pycrfsuite"], 2 * 10**5),
        (THAI[:3], ["pythainlp", "pycrfsuite"], 2 * 10**5),
    ],
    ids=["english", "russian", "vietnamese", "hindi", "chinese", "emoji", "thai", "thai-word"],
)
def test_a_long_text_is_counted_in_time_that_grows_with_it(text, modules, size):
    for module in modules:
        pytest.importorskip(module)

    def seconds(size: int) -> float:
        response = text * (size // len(text.encode()))
        began = time.process_time()
        _checker("number_words")(response, num_words=1, relation="at least")
        _checker("number_sentences")(response, num_sentences=1, relation="at least")
        return time.process_time() - began

    seconds(10_000)  # what is loaded once
    assert seconds(size) < 8 * seconds(size // 4) + 0.5
