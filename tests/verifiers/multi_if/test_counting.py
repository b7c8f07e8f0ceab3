"""Words and sentences by language: counts of the official code on made-up texts."""

from importlib.util import find_spec

import pytest

from uniapl_cli.verifiers.language import detect
from uniapl_cli.verifiers.multi_if import thai
from uniapl_cli.verifiers.multi_if.counting import sentence_count, word_count

# facebookresearch/Multi-IF at 1cdb53e, with langdetect's seed 0, nltk 3.9.1's words, 3.10.4's
# sentences, pythainlp 5.4.0 and emoji 2.16.0: language, words, sentences, text.
COUNTED = [
    ("en", 13, 2, "The cat sleeps. It didn't move, and 3.5 hours went by!"),
    ("de", 13, 2, "Die Katze schläft auf dem warmen Dach. Weißt du, wie spät es ist?"),
    ("it", 12, 2, "Il gatto dorme sul tetto caldo. Perché l'acqua è così fredda?"),
    ("vi", 15, 2, "Con mèo ngủ trên mái nhà ấm áp. Tại sao nước lại lạnh như vậy?"),
    ("es", 15, 2, "El gato duerme en el tejado caliente. ¡Hoy el pan está barato en el mercado!"),
    ("pt", 13, 2, "O gato dorme no telhado quente. Por que a água está tão fria?"),
    ("fr", 14, 2, "Le chat dort sur le toit chaud. Pourquoi l'eau est-elle si froide ?"),
    ("ru", 9, 2, "Кошка спит на тёплой крыше. Почему вода такая холодная?"),
    ("hi", 18, 2, "बिल्ली गर्म छत पर सोती है। पानी इतना ठंडा क्यों है?"),
    ("hi", 15, 3, "बिल्ली गर्म छत पर सोती है!! और हम नदी तक गए"),
    ("zh-cn", 28, 3, "猫在温暖的屋顶上睡觉。为什么水这么冷？今天市场上的面包很便宜"),
    (
        "zh-cn",
        31,
        4,
        "猫在温暖的屋顶上睡觉……\n使用Python和C++编程，价格是3.5元。他说：“明天会下雨” a_b =x",
    ),
    ("zh-cn", 20, 2, "今天 😀 我们走到河边👨‍👩‍👧，然后 ❤️ 又回来了。\n\n。。\n很便宜！"),
    (
        "ja",
        38,
        3,
        "猫は暖かい屋根の上で寝ています。「なぜ水はこんなに冷たいの？」今日は『本』を読みます！",
    ),
    ("th", 23, 3, "แมวนอนอยู่บนหลังคาที่อบอุ่น ทำไมน้ำถึงเย็นขนาดนี้? ราคา 1,234.50 บาทต่อกิโลกรัม"),
    (
        "th",
        27,
        4,
        "วันนี้ขนมปังที่ตลาดราคาถูกมากครับ\nผมชอบอ่านหนังสือ และเขาชอบดูหนัง\n\nเราเดินไปที่แม่น้ำแล้วกลับมา",
    ),
    (None, 3, 2, "123 456. 789!"),
    ("ko", 10, 2, "고양이는 따뜻한 지붕 위에서 잠을 잡니다. 물이 왜 이렇게 차가워요?"),
]
WORDS = {"th": ["pythainlp"], "zh-cn": ["emoji"], "ja": ["emoji"]}
SENTENCES = {"th": ["pythainlp", "pycrfsuite"]}
thai_only = pytest.mark.skipif(
    not find_spec("pythainlp") or not find_spec("pycrfsuite"), reason="the extra `eval` is needed"
)


def _need(modules: list[str]) -> None:
    for module in modules:
        pytest.importorskip(module)


@pytest.mark.parametrize(("language", "words", "sentences", "text"), COUNTED)
def test_words_are_counted_as_officially(language, words, sentences, text):
    _need(WORDS.get(language, []))
    assert (detect(text), word_count(text)) == (language, words)


@pytest.mark.parametrize(("language", "words", "sentences", "text"), COUNTED)
def test_sentences_are_counted_as_officially(language, words, sentences, text):
    _need(SENTENCES.get(language, []))
    assert sentence_count(text) == sentences


@pytest.mark.parametrize("text", ["กา" * 30_000, "กา กา\n" * 9_000, "1" * 10**6, " " * 10**5, ""])
def test_pieces_of_a_long_text_are_the_text_and_bounded(text):
    found = list(thai.pieces(text))
    assert all(len(piece) <= thai.LONGEST for piece in found)
    assert "".join(found) == (text if len(set(text)) != 1 or text[0] != "1" else "1" * 32)
    assert all(piece[-1].isspace() for piece in found[:-1] if " " in text)


def test_a_text_as_long_as_an_answer_is_one_piece():
    assert len(list(thai.pieces("กา" * (thai.LONGEST // 2)))) == 1


@thai_only
def test_a_long_number_is_one_word_in_linear_time():
    text = COUNTED[14][3]
    assert word_count(text + " " + "7" * 10**6) == word_count(text + " 7")
