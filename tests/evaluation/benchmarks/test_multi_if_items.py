"""Multi-IF: conversations that a test makes in its columns, their turns, rates and languages."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from uniapl_cli.data.layouts import layouts
from uniapl_cli.errors import DataError
from uniapl_cli.evaluation.benchmarks import Graded, Item, benchmarks
from uniapl_cli.evaluation.benchmarks.multi_if import MultiIF
from uniapl_cli.evaluation.estimates import estimate
from uniapl_cli.files import Row
from uniapl_cli.types import Verdict
from uniapl_cli.verifiers import Case, Judge, constraints
from uniapl_cli.verifiers.multi_if import needs

SHARED = Path(__file__).parents[3].parent / "shared" / "data" / "multi_if"
COMMA, QUOTED = ("punctuation:no_comma", {}), ("startend:quotation", {})
WORDS = ("length_constraints:number_words", {"num_words": 3, "relation": "at least"})
SENTENCES = ("length_constraints:number_sentences", {"num_sentences": 1, "relation": "at least"})
Asked = Sequence[tuple[str, Mapping[str, object]]]


def _row(key: str, language: str, *turns: Asked) -> dict[str, object]:
    row: dict[str, object] = {"key": key, "language": language, "turns": "", "responses": ""}
    for number in (1, 2, 3):
        there = number <= len(turns)
        asked = turns[number - 1] if there else ()
        message = {"role": "user", "content": f"{key} frage {number} 问题 प्रश्न คำถาม"}
        row |= {
            f"turn_{number}_prompt": json.dumps(message) if there else "None",
            f"turn_{number}_instruction_id_list": json.dumps([id for id, _ in asked]),
            f"turn_{number}_kwargs": json.dumps([json.dumps(kwargs) for _, kwargs in asked]),
        }
    return row


@pytest.fixture
def items(tmp_path) -> Callable[..., list[Item]]:
    """items(*rows): of a CSV file as the hub's."""

    def read(*rows: dict[str, object]) -> list[Item]:
        with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return MultiIF().items(tmp_path)

    return read


def _grade(items: Sequence[Item], answers: Mapping[tuple[str, int], str]) -> list[Graded]:
    benchmark, judge = MultiIF(), Judge()
    graded = []
    for item in items:
        for turn in range(len(item.turns)):
            case = Case(answers[item.id, turn], item.turns[turn].constraints)
            (verdict,) = judge([case])
            marks = benchmark.marks(item, turn, verdict)
            graded.append(Graded(item, turn, 0, marks, case.response))
    return graded


def _means(graded: Sequence[Graded]) -> dict[str, float]:
    return {name: estimate(cs).mean for name, cs in MultiIF().metrics(graded).items()}


def test_the_turns_of_a_conversation_come_with_the_models_own_answers(items):
    (item,) = items(_row("1:1:de", "German", [COMMA], [COMMA, QUOTED], [COMMA, QUOTED, WORDS]))
    assert (item.id, item.subset, item.refused, len(item.turns)) == ("1:1:de", "German", "", 3)
    messages = item.messages(["eins", "zwei"])
    assert [m.role for m in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert [m.content for m in messages][1::2] == ["eins", "zwei"]
    assert messages[-1].content == "1:1:de frage 3 问题 प्रश्न คำถาม"
    ids = ["punctuation:no_comma", "multi_if:quotation", "multi_if:number_words"]
    assert [[c.id for c in turn.constraints] for turn in item.turns] == [ids[:1], ids[:2], ids]


def test_earlier_answers_stand_without_thoughts_and_white_space(items):
    (item,) = items(_row("1:1:es", "Spanish", [COMMA], [COMMA]))
    assert item.messages(["<think>\nQué?\n</think>\n\n sí \n"])[1].content == "sí"


def test_its_layout_reads_the_same_constraints(items):
    row = _row("1:1:hi", "Hindi", [COMMA], [COMMA, QUOTED, SENTENCES])
    (item,) = items(row)
    read = layouts["multi_if"].definition
    for turn, answers in enumerate(([], ["एक"])):
        example = read(Row("rows.jsonl:1", {**row, "responses": answers}), constraints)
        assert example.prompt == item.messages(answers)
        assert example.constraints == item.turns[turn].constraints


@pytest.mark.parametrize("absent", ["None", "", None])
def test_a_conversation_ends_at_a_turn_that_is_not_there(items, absent):
    row = _row("1:1:ru", "Russian", [COMMA], [COMMA], [COMMA])
    (item,) = items({**row, "turn_2_prompt": absent})
    assert len(item.turns) == 1
    with pytest.raises(DataError) as caught:
        items({**row, "turn_1_prompt": absent})
    assert (caught.value.line, caught.value.key) == (2, "turn_1_prompt")


def test_a_turn_without_instructions_is_answered_and_not_scored(items):
    row = _row("1:1:fr", "French", [COMMA], [COMMA], [COMMA])
    (item,) = items({**row, "turn_2_instruction_id_list": "None", "turn_2_kwargs": "None"})
    assert [len(turn.constraints) for turn in item.turns] == [1, 0, 1]
    graded = _grade([item], {("1:1:fr", turn): "oui" for turn in range(3)})
    assert [bool(one.marks) for one in graded] == [True, False, True]
    assert "turn_2" not in _means(graded)


def test_ids_are_unique(items):
    row = _row("1:1:en", "English", [COMMA])
    assert [item.id for item in items(row, row, row)] == ["1:1:en", "1:1:en#2", "1:1:en#3"]


def test_kwargs_that_cannot_be_checked_refuse_their_conversation_only(items):
    broken = ("length_constraints:number_words", {"num_words": 3, "relation": "about"})
    fine = _row("1:1:en", "English", [COMMA])
    one, other = items(_row("2:1:en", "English", [COMMA], [COMMA, broken]), fine)
    assert one.refused.startswith("turn 2: ") and "about" in one.refused and not other.refused


@pytest.mark.parametrize(
    ("module", "package", "language", "asked"),
    [
        ("pythainlp", "pythainlp", "Thai", WORDS),
        ("pythainlp", "pythainlp", "Thai", SENTENCES),
        ("pycrfsuite", "python-crfsuite", "Thai", SENTENCES),
        ("emoji", "emoji", "Chinese", WORDS),
    ],
)
def test_without_a_package_the_rows_that_need_it_are_refused(
    items, monkeypatch, module, package, language, asked
):
    there = needs.installed
    monkeypatch.setattr(needs, "installed", lambda name: name != module and there(name))
    asks = (
        "language:response_language",
        {"language": {"Thai": "th", "Chinese": "zh-cn"}[language]},
    )
    needing, asking, other, english = items(
        _row("1", language, [COMMA], [COMMA, asked]),
        _row("2", "English", [asks, asked]),
        _row("3", language, [COMMA], [COMMA, QUOTED]),
        _row("4", "English", [asked]),
    )
    assert package in needing.refused and asked[0].partition(":")[2] in needing.refused
    assert package in asking.refused
    assert not other.refused and not english.refused


def test_what_could_not_be_judged_is_not_wrong():
    item = Item("1", (), "Thai")
    failed = Verdict((True, False), (True, False), (None, "needs pythainlp"))
    assert MultiIF().marks(item, 0, failed) == {}


@pytest.fixture
def answered(items) -> list[Graded]:
    """Two languages; the second conversation has two turns."""
    rows = [
        _row("1", "German", [COMMA], [COMMA, QUOTED], [COMMA, QUOTED, WORDS]),
        _row("2", "German", [COMMA], [COMMA, WORDS]),
        _row("3", "Hindi", [COMMA], [COMMA, WORDS], [COMMA, WORDS, QUOTED]),
    ]
    answers = {
        **{("1", 0): "gut", ("1", 1): '"gut"', ("1", 2): 'Ja!\n"das ist gut"'},
        **{("2", 0): "ja, gut", ("2", 1): "ja gut"},
        **{("3", 0): "बिल्ली सोती है", ("3", 1): "बिल्ली, सोती है", ("3", 2): "“बिल्ली सोती है”"},
    }
    return _grade(items(*rows), answers)


def test_four_rates_a_turn_and_their_means(answered):
    means = _means(answered)
    assert means["turn_1_prompt_strict"] == means["turn_1"] == 2 / 3
    assert means["turn_2_prompt_strict"] == 1 / 3 and means["turn_2_instruction_strict"] == 4 / 6
    assert means["turn_3_prompt_strict"] == 1 / 2 and means["turn_3_prompt_loose"] == 1
    assert means["turn_3_instruction_strict"] == 5 / 6
    assert means["turn_2"] == pytest.approx((1 / 3 + 4 / 6) / 2)
    assert means["turn_3"] == pytest.approx((1 / 2 + 5 / 6 + 1 + 1) / 4)


def test_overall_is_the_mean_of_turns_and_of_languages_where_it_says_so(answered):
    means = _means(answered)
    assert means["overall"] == pytest.approx(sum(means[f"turn_{n}"] for n in (1, 2, 3)) / 3)
    by_language = [
        _means([one for one in answered if one.item.subset == name])["overall"]
        for name in ("German", "Hindi")
    ]
    assert means["overall_languages"] == pytest.approx(sum(by_language) / 2)
    assert MultiIF.main == "overall" and list(means)[0] == "overall"


def test_a_language_of_one_keeps_its_values(answered):
    hindi = [one for one in answered if one.item.subset == "Hindi"]
    means = _means(hindi)
    assert means["overall"] == pytest.approx(means["overall_languages"])
    assert means["turn_1"] == 1.0


def test_conversations_are_the_units_of_the_error(answered):
    whole = estimate(MultiIF().metrics(answered)["overall"])
    assert whole.n == 3
    twice = estimate(
        MultiIF().metrics(
            [
                Graded(Item(f"{one.item.id}{n}", (), one.item.subset), one.turn, 0, one.marks, "")
                for one in answered
                for n in "ab"
            ]
        )["overall"]
    )
    assert (twice.mean, twice.n) == (pytest.approx(whole.mean), 6) and twice.se < whole.se


def test_nothing_graded_is_no_number():
    assert estimate(MultiIF().metrics([])["overall"]).plain() == {"mean": None, "se": None, "n": 0}


def test_it_is_registered_with_its_licence():
    assert benchmarks["multi_if"].definition is MultiIF
    assert not MultiIF.upstream.commercial and MultiIF.domain == "I-Following"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the reference data are not beside this checkout")
def test_the_row_at_hand_is_read_and_graded():
    pytest.importorskip("emoji")
    (item,) = MultiIF().items(SHARED)
    assert (item.id, item.subset, item.refused) == ("1000:1:zh", "Chinese", "")
    assert [len(turn.constraints) for turn in item.turns] == [3, 4, 5]
    phrase = str(item.turns[2].constraints[4].kwargs["end_phrase"])
    good = "*十字军* *黎巴嫩* *穆斯林* " + "伯爵的一生充满了政治斗争。" * 30 + phrase
    graded = _grade([item], {(item.id, 0): good, (item.id, 1): good, (item.id, 2): good[:-4]})
    assert [one.marks[f"turn_{one.turn + 1}_prompt_strict"][0] for one in graded] == [1, 1, 0]
