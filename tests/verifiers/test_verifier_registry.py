import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import uniapl_cli.verifiers
from uniapl_cli.verifiers import verifiers
from uniapl_cli.verifiers.registry import compare

IFEVAL = [
    "change_case:capital_word_frequency",
    "change_case:english_capital",
    "change_case:english_lowercase",
    "combination:repeat_prompt",
    "combination:two_responses",
    "detectable_content:number_placeholders",
    "detectable_content:postscript",
    "detectable_format:constrained_response",
    "detectable_format:json_format",
    "detectable_format:multiple_sections",
    "detectable_format:number_bullet_lists",
    "detectable_format:number_highlighted_sections",
    "detectable_format:title",
    "keywords:existence",
    "keywords:forbidden_words",
    "keywords:frequency",
    "keywords:letter_frequency",
    "language:response_language",
    "length_constraints:nth_paragraph_first_word",
    "length_constraints:number_paragraphs",
    "length_constraints:number_sentences",
    "length_constraints:number_words",
    "punctuation:no_comma",
    "startend:end_checker",
    "startend:quotation",
]
IFEVALG = [
    "copy:copy",
    "copy:copying_multiple",
    "copy:copying_simple",
    "copy:repeat_phrase",
    "count:count_increment_word",
    "count:count_unique",
    "count:counting_composition",
    "count:lowercase_counting",
    "detectable_format:bigram_wrapping",
    "detectable_format:sentence_hyphens",
    "detectable_format:square_brackets",
    "first_word:first_word_answer",
    "first_word:first_word_sent",
    "keywords:exclude_word_harder",
    "keywords:keyword_specific_position",
    "keywords:no_adjacent_consecutive",
    "keywords:palindrome",
    "keywords:start_end",
    "keywords:word_count_different_numbers",
    "keywords:word_once",
    "last_word:last_word_answer",
    "last_word:last_word_sent",
    "letters:letter_counting",
    "letters:letter_counting2",
    "new:copy_span_idx",
    "paragraphs:paragraphs",
    "paragraphs:paragraphs2",
    "punctuation:punctuation_dot",
    "punctuation:punctuation_exclamation",
]

TRAITS = {"sensible", "sandboxed", "packages", "needs", "unwrap", "evaluation"}


def test_all_of_ifevals_and_ifevalgs_instructions_are_registered():
    assert (len(IFEVAL), len(IFEVALG)) == (25, 29)
    assert len({*IFEVAL, *IFEVALG}) == 54
    assert {*IFEVAL, *IFEVALG} <= set(verifiers)


def test_every_file_of_the_package_is_imported_by_it():
    folder = Path(uniapl_cli.verifiers.__file__).parent
    files = [file.relative_to(folder).with_suffix("") for file in folder.rglob("[!_]*.py")]
    names = {".".join(("uniapl_cli.verifiers", *file.parts)) for file in files}
    names.discard("uniapl_cli.verifiers.detector")  # loads langdetect, where a text needs it
    assert len(names) > 25 and names <= set(sys.modules)


@pytest.mark.parametrize("id", IFEVAL)
def test_an_instruction_of_ifeval_is_in_the_file_of_its_family(id):
    module = verifiers[id].definition.__module__
    assert module == f"uniapl_cli.verifiers.ifeval.{id.partition(':')[0]}"


def test_a_verifier_is_typed_keyword_only_and_has_a_summary():
    for entry in map(verifiers.__getitem__, verifiers):
        code = entry.definition.__code__
        assert code.co_varnames[: code.co_argcount] == ("response",)
        assert all(field.annotation not in (None, Any) for field in entry.takes().values())
        assert entry.summary.endswith(".")
        assert set(entry.traits) <= TRAITS
        assert bool(entry.traits.get("unwrap")) is (entry.name in IFEVALG)


@pytest.mark.parametrize(
    ("count", "relation", "expected"),
    [
        (2, "less than", True),
        (3, "less than", False),
        (3, "at least", True),
        (2, "at least", False),
    ],
)
def test_compare(count, relation, expected):
    assert compare(count, relation, 3) is expected


def test_importing_the_package_is_light():
    code = (
        "import sys, uniapl_cli.verifiers;"
        "heavy = {'torch', 'transformers', 'nltk', 'langdetect', 'numpy'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
