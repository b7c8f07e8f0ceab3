"""Mistakes in data: lines that are no rows, rows of a layout, instructions, whole files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mistake import PLACED, Mistake, logged, write

from uniapl_cli.data import BadRows, open_rows, read_examples
from uniapl_cli.data.encode import encode
from uniapl_cli.data.limits import Limits, fit
from uniapl_cli.verifiers import constraints, trainable

GOOD: dict[str, Any] = {"key": "a", "prompt": "Hi", "response": "So."}
USER, SYSTEM = {"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief."}
ANSWER = {"role": "assistant", "content": "So."}
NAME = "rows.jsonl"

LINES = {
    "no end": '{"prompt": "Hi"',
    "a list": '["Hi"]',
    "half of a surrogate pair": '{"prompt": "\\ud800"}',
    "too deep": "[" * 100_000,
    "a key twice": '{"prompt": "Hi", "prompt": "Ho"}',
}


def ruled(id: str, **kwargs: Any) -> dict[str, Any]:
    return {**GOOD, "instruction_id_list": [id], "kwargs": [kwargs]}


TURN = {"turn_1_prompt": json.dumps(USER), "turn_1_instruction_id_list": "[]"}
# layout, row
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "no prompt": ("ifeval", {"question": "Hi"}),
    "a number for a prompt": ("ifeval", {"prompt": 1}),
    "a number for a response": ("ifeval", {**GOOD, "response": 1}),
    "turns that are none": ("messages", {"messages": ["Hi"]}),
    "no turns": ("messages", {"messages": []}),
    "a role that is not known": ("messages", {"messages": [{"role": "human", "content": "Hi"}]}),
    "no content": ("messages", {"messages": [{"role": "user", "content": None}]}),
    "a part that is an image": (
        "messages", {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
    ),
    "a column of images": ("messages", {"messages": [USER], "images": ["a.png"]}),
    "next turns that are none": ("messages", {"messages": [USER], "next_turns": [USER]}),
    "tools that are no list": ("messages", {"messages": [USER], "tools": '{"a": 1}'}),
    "thoughts that are no text": ("messages", {"messages": [USER, {**ANSWER, "reasoning": 1}]}),
    "two thoughts": (
        "messages", {"messages": [USER, {**ANSWER, "reasoning": "a", "thinking": "b"}]},
    ),
    "an answer not to be learnt": ("messages", {"messages": [USER, {**ANSWER, "weight": 0}]}),
    "a question to be learnt": ("messages", {"messages": [{**USER, "train": True}, ANSWER]}),
    "thoughts of one of two answers": (
        "preference", {"prompt": "Hi", "chosen": "a", "rejected": "b", "reasoning": "c"},
    ),
    "a rejected call": (
        "preference", {"prompt": "Hi", "chosen": "a", "rejected": [{**ANSWER, "tool_calls": [1]}]},
    ),
    "a speaker that is not known": (
        "sharegpt", {"conversations": [{"from": "humn", "value": "a"}]},
    ),
    "a function call that is no JSON": (
        "sharegpt", {"conversations": [{"from": "function_call", "value": "f()"}]},
    ),
    "a history that is none": (
        "alpaca", {"instruction": "Hi", "output": "So.", "history": ["Hi"]},
    ),
    "choices of a question": (
        "question_answer", {"question": "Hi", "answer": "A", "choices": ["a"]},
    ),
    "a misspelt column": ("auto", {"instruction": "Hi", "outputs": "So."}),
    "no question": ("messages", {"messages": [ANSWER]}),
    "two system turns": ("messages", {"messages": [SYSTEM, USER], "system": "Be long."}),
    "other turns before the rejected": (
        "preference", {"chosen": [USER, ANSWER], "rejected": [SYSTEM, USER, ANSWER]},
    ),
    "no rejected": ("preference", {"prompt": "Hi", "chosen": "So."}),
    "an answer without its question": ("preference", {"chosen": [ANSWER, ANSWER], "rejected": "a"}),
    "an answer by the user": ("preference", {"chosen": [USER], "rejected": [USER, ANSWER]}),
    "a label that is none": ("labelled", {"prompt": "Hi", "completion": "So.", "label": "good"}),
    "no layout": ("auto", {"a": 1}),
    "either layout": (
        "auto", {"messages": [USER], "prompt": "Hi", "chosen": "a", "rejected": "b",
                 "completion": "c", "label": True},
    ),
    "text that is no JSON for kwargs": ("ifeval", {**GOOD, "kwargs": "{"}),
    "an object for kwargs": ("ifeval", {**GOOD, "kwargs": "{}"}),
    "kwargs that are no list": ("ifeval", {**GOOD, "instruction_id_list": "a", "kwargs": []}),
    "kwargs for some": (
        "ifeval", {**GOOD, "instruction_id_list": ["punctuation:no_comma"], "kwargs": []},
    ),
    "a truth that is an object": ("if_multi", {"messages": [USER], "ground_truth": "{}"}),
    "a truth that is no literal": ("if_multi", {"messages": [USER], "ground_truth": "[a"}),
    "a truth of other names": ("if_multi", {"messages": [USER], "ground_truth": "[{'a': 1}]"}),
    "a turn that is no message": (
        "multi_if", {**TURN, "turn_1_prompt": '"Hi"', "turn_1_kwargs": "[]"},
    ),
    "a turn without kwargs": ("multi_if", TURN),
    "kwargs of a turn": ("multi_if", {**TURN, "turn_1_kwargs": '["{"]'}),
    "a function that is no text": ("autoif", {"prompt": "Hi", "eval_funcs": [1]}),
    "an instruction that is not known": ("ifeval", ruled("punctuation:no_coma")),
    "an instruction of two lines": ("ifeval", ruled("two\nlines")),
    "an instruction's kwarg": ("ifeval", ruled("punctuation:no_comma", commas=2)),
    "an instruction without its kwarg": ("ifeval", ruled("detectable_format:number_bullet_lists")),
    "an instruction's type": (
        "ifeval", ruled("detectable_format:number_bullet_lists", num_bullets="two"),
    ),
    "an instruction's choice": (
        "ifeval", ruled("length_constraints:number_words", num_words=3, relation="at most"),
    ),
    "an instruction's bound": (
        "ifeval", ruled("length_constraints:number_words", num_words=-3, relation="at least"),
    ),
    "an instruction's regular expression": (
        "ifeval", ruled("keywords:existence", keywords=["a(b"]),
    ),
    "an instruction's letter": (
        "ifeval", ruled("keywords:letter_frequency", letter="ab", let_frequency=2,
                        let_relation="at least"),
    ),
    "an instruction's language": ("ifeval", ruled("language:response_language", language="eng")),
    "an instruction's paragraphs": (
        "ifeval", ruled("length_constraints:nth_paragraph_first_word", num_paragraphs=2,
                        nth_paragraph=3, first_word="a"),
    ),
}  # fmt: skip


def read(layout: str = "ifeval", tolerance: int = 0) -> Any:
    return read_examples(open_rows(NAME), layout, constraints, BadRows(tolerance))


def of_line(layout: str, line: Any) -> Mistake:
    def provoke() -> None:
        write(Path(NAME), [line] if layout == "auto" else [GOOD_OF.get(layout, GOOD), line])
        read(layout)

    return Mistake(provoke, PLACED)


GOOD_OF = {
    "messages": {"messages": [USER]},
    "preference": {"prompt": "Hi", "chosen": "a", "rejected": "b"},
    "labelled": {"prompt": "Hi", "completion": "a", "label": True},
    "multi_if": {**TURN, "turn_1_kwargs": "[]"},
    "if_multi": {
        "messages": [USER], "ground_truth": "[{'instruction_id': [], 'kwargs': []}]",
    },
    "autoif": {"prompt": "Hi", "eval_funcs": []},
    "sharegpt": {"conversations": [{"from": "human", "value": "Hi"}]},
    "alpaca": {"instruction": "Hi", "output": "So."},
    "question_answer": {"question": "Hi", "answer": "So."},
}  # fmt: skip


def a_benchmarks() -> None:
    write(Path(NAME), [GOOD, ruled("words:vowel")])
    read_examples(open_rows(NAME), "ifeval", trainable, BadRows(0))


def too_many() -> None:
    write(Path(NAME), ["{", "{", GOOD])
    read(tolerance=1)


def not_utf8() -> None:
    Path(NAME).write_bytes(b'{"prompt": "\xff"}\n')
    read()


def empty() -> None:
    Path(NAME).write_text("\n")
    read()


def an_object() -> None:
    Path("rows.json").write_text('{"a": 1}')
    open_rows("rows.json")


def of_two_layouts() -> None:
    write(Path(NAME), [GOOD, {"messages": [USER, ANSWER]}])
    read("auto")


def silent() -> None:
    write(Path(NAME), [{**GOOD, "response": ""}])
    read_examples(open_rows(NAME), "auto", constraints, BadRows(0), learnt=True)


def file(name: str, content: str, split: str | None = None) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(content)
    open_rows(name, split)


def folder(*names: str) -> None:
    for name in names:
        Path("set").mkdir(exist_ok=True)
        Path("set", name).write_text("{}")
    open_rows("set")


def of_a_json() -> None:
    Path("rows.json").write_text('[{"prompt": "Hi"}, 3]')
    read_examples(open_rows("rows.json"), "ifeval", constraints, BadRows(0))


def fitted(overlong: Any = "error", **limits: int) -> None:
    from uniapl_cli.chat import Chat
    from uniapl_cli.loading import load_tokenizer

    chat = Chat(load_tokenizer(resolved()))
    write(Path(NAME), [GOOD, {**GOOD, "prompt": "Hi " * 40, "response": "So. " * 40}])
    encoded = encode(chat, read(), ("response",))
    usual = {"prompt": 1024, "response": 1024, "answer": 0, "context": 512}
    fit(encoded, Limits(**{**usual, **limits}), overlong, ("response",))


def resolved() -> str:
    from uniapl_cli.tiny.assets import resolve

    return resolve("tiny:base")


MISTAKES: dict[str, Mistake] = {
    **{f"line, {name}": of_line("ifeval", line) for name, line in LINES.items()},
    "line, not UTF-8": Mistake(not_utf8, PLACED),
    **{f"row, {name}": of_line(layout, row) for name, (layout, row) in ROWS.items()},
    "row of a benchmark": Mistake(a_benchmarks, PLACED),
    "row, one more than is tolerated": Mistake(too_many, PLACED),
    "row, of a list in JSON": Mistake(of_a_json, PLACED),
    "row, a prompt too long": Mistake(lambda: fitted(prompt=20), (*PLACED, "key")),
    "row, a response too long": Mistake(lambda: fitted(response=20), (*PLACED, "key")),
    "row, too long for the model": Mistake(lambda: fitted(context=90), PLACED),
    "row, no room for an answer": Mistake(lambda: fitted(answer=500), PLACED),
    "rows, all too long": Mistake(lambda: fitted("drop", prompt=2), PLACED),
    "told, rows left out": logged(lambda: fitted("drop", response=20)),
    "told, responses cut": logged(lambda: fitted("truncate", response=20)),
    "data, not there": Mistake(lambda: open_rows("absent.jsonl"), ("got",)),
    "data, of no kind": Mistake(lambda: open_rows("rows.jsnl"), ("got",)),
    "data, empty": Mistake(empty, ("got",)),
    "data, JSON that is no list": Mistake(an_object, ("got",)),
    "data, nested too deeply": Mistake(lambda: file("rows.json", "[" * 100_000), ("got",)),
    "data, a pointer of Git LFS": Mistake(
        lambda: file("a.parquet", "version https://git-lfs.github.com/spec/v1\n"), ("got",)
    ),
    "data, no gzip": Mistake(lambda: file("rows.jsonl.gz", "{}"), ("got",)),
    "data, packed": Mistake(lambda: file("rows.jsonl.zst", ""), ("got",)),
    "data, a split of a file": Mistake(lambda: file(NAME, "{}", "test"), ("got", "key")),
    "data, no file of a pattern": Mistake(lambda: open_rows("set/*.jsonl"), ("got",)),
    "data, a folder of no split": Mistake(lambda: folder("train.jsonl", "more.jsonl"), ("got",)),
    "data, a folder of two kinds": Mistake(lambda: folder("a.jsonl", "b.csv"), ("got",)),
    "row, of another layout": Mistake(of_two_layouts, PLACED),
    "row, an empty answer": Mistake(silent, PLACED),
    "data, not shipped": Mistake(lambda: _resolve("tiny:tran"), ("suggestion",)),
}


def _resolve(name: str) -> None:
    from uniapl_cli.tiny.assets import resolve

    resolve(name)
