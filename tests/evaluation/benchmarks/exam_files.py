"""Made-up rows of multiple-choice benchmarks, in the layouts of their authors and of the hub."""

import csv
import itertools
from pathlib import Path

from uniapl_cli.evaluation.benchmarks.gpqa import OPTIONS

BY_NAME = {
    "mmlu": ("dev", "test"),
    "cmmlu": ("dev", "test"),
    "ceval": ("dev", "val"),
}
SUBJECTS = ("anatomy", "marketing")
CEVAL_SUBJECTS = ("accountant", "physician")


def subjects_of(name: str) -> tuple[str, str]:
    return CEVAL_SUBJECTS if name == "ceval" else SUBJECTS


def row_of(subject: str, split: str, number: int) -> dict:
    """A made-up row, as the hub has those of cais/mmlu."""
    return {
        "question": f"{split} {number} of {subject}, {{braces}}?",
        "subject": subject,
        "choices": [f"{word} {number}" for word in ("one", "two", "three", "four")],
        "answer": (number * 3 + len(subject)) % 4,
    }


def _rows(name: str, split: str, count: int = 5) -> list[dict]:
    return [row_of(s, split, number) for s in subjects_of(name) for number in range(count)]


def write_csv(path: Path, rows: list[list], header: list | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*([header] if header else []), *rows])


def as_csv(folder: Path, name: str) -> Path:
    """Write the layout of the authors."""
    for split, subject in itertools.product(BY_NAME[name], subjects_of(name)):
        rows = [
            [row["question"], *row["choices"], "ABCD"[row["answer"]]]
            for row in _rows(name, split)
            if row["subject"] == subject
        ]
        header, stem = None, f"{subject}_{split}"
        if name == "cmmlu":
            header, stem = ["", "Question", *"ABCD", "Answer"], subject
            rows = [[number, *row] for number, row in enumerate(rows)]
        elif name == "ceval":
            header = ["id", "question", *"ABCD", "answer"]
            rows = [[number, *row] for number, row in enumerate(rows)]
        write_csv(folder / name / split / f"{stem}.csv", rows, header)
    return folder / name


def _parquet(path: Path, rows: list[dict]) -> None:
    from pyarrow import Table
    from pyarrow.parquet import write_table

    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(Table.from_pylist(rows), path)


def as_parquet(folder: Path, name: str, *, whole: bool) -> Path:
    """Write the layout of the hub: all subjects in one file, or a folder a subject."""
    for split in BY_NAME[name]:
        rows = _rows(name, split)
        if whole:
            _parquet(folder / name / "all" / f"{split}-00000-of-00001.parquet", rows)
        for subject in () if whole else subjects_of(name):
            columns = [
                {
                    "question": row["question"],
                    **dict(zip("ABCD", row["choices"], strict=True)),
                    "answer": "ABCD"[row["answer"]],
                }
                for row in rows
                if row["subject"] == subject
            ]
            _parquet(folder / name / subject / f"{split}-00000-of-00001.parquet", columns)
    return folder / name


def as_mmlu_pro(folder: Path, name: str = "mmlu_pro") -> Path:
    """Write made-up rows of TIGER-Lab/MMLU-Pro, of one category with three to ten options."""

    def row(split: str, number: int) -> dict:
        options = [f"{word} {number}" for word in ("wrong", "right", "wrong", "wrong", "wrong")]
        options = options * 2 if number % 2 else options[: 3 + number % 3]
        options = [*options[:2], *(option.replace("right", "wrong") for option in options[2:])]
        return {
            "question_id": number + (1000 if split == "validation" else 0),
            "question": f"{split} {number}?",
            "options": [*options, "N/A"] if len(options) == 3 else options,
            "answer": "B",
            "answer_index": 1,
            "cot_content": "A: Let's think step by step. The answer is (B).",
            "category": "computer science",
            "src": "made up",
        }

    for split in ("validation", "test"):
        path = folder / name / "data" / f"{split}-00000-of-00001.parquet"
        _parquet(path, [row(split, number) for number in range(5)])
    return folder / name


def as_gpqa(folder: Path, name: str = "gpqa", count: int = 60) -> Path:
    """Write made-up rows in the columns of gpqa_diamond.csv, with white space around texts."""
    header = [*OPTIONS, "Question", "Explanation", "High-level domain", "Record ID"]
    rows = [
        [" right\n", "wrong 1 ", "wrong 2", "wrong 3", f"Made up {n}?\n", "-", "Physics", f"rec{n}"]
        for n in range(count)
    ]
    write_csv(folder / name / "gpqa_diamond.csv", rows, header)
    return folder / name
