"""Where a response's code is."""

import gc
import time

import pytest

from uniapl_cli.verifiers.code.extraction import blocks, code_in, defines


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no code", []),
        ("```python\na\n```", ["a\n"]),
        ("```\na\n\nb\n```\nthen\n~~~py\nc\n~~~", ["a\n\nb\n", "c\n"]),
        ("```python\na\nb", ["a\nb"]),  # never closed
        ("```python\n", []),
        ("```python\n\n```\n```\na\n```", ["a\n"]),
        ("1. So:\n\n   ```python\n   if a:\n       b\n   ```", ["if a:\n    b\n"]),
        ("So: ```python\na\n```", ["a\n"]),
        ("```python\na = 1```\nIt is 1.", ["a = 1"]),
        ("```python\na\n```python\nb\n```", ["a\n", "b\n"]),
        ("````md\n```\na\n```\n````", ["```\na\n```\n"]),
        ("~~~\n```\n~~~", ["```\n"]),
        ("Say ```a``` or `b`, bye~~~\n```a```", []),
        ("```python title='a b'\na\n```", ["a\n"]),
        ('```py\n"""a\n```\nb\n```python\n"""\nc\n```\nd', ['"""a\n```\nb\n```python\n"""\nc\n']),
        ("```\n'''a'''\n```\n```\nb", ["'''a'''\n", "b"]),
        ("```python\nprint('```')\ns = '''```x```'''\n```", ["print('```')\ns = '''```x```'''\n"]),
    ],
)
def test_blocks(text, found):
    assert blocks(text) == found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```\nf(1)\n```\n```\ndef f(x): pass\n```\n```\ndef f(x): 2\n```", "def f(x): pass\n"),
        ("```\ng(1)\n```\n```\ng(2)\n```", "g(1)\n"),
        ("def f(x):\r\n    return x", "def f(x):\n    return x"),
        ("    return x", "    return x"),
        ("I cannot do that. The f(x) is hard, class.", None),
        ("", None),
        # Nobody opened it; and prose before a text without a fence.
        ("def f(x):\n    2\n```\nThe function f:\n```\nf(1)\n```", "def f(x):\n    2\n"),
        ("So:\nimport re\ndef f(x): 2\n```\nIt is", "import re\ndef f(x): 2\n"),
        ("So:\n\nA, B = 3, 4\n\ndef f(x):\n    return A", "A, B = 3, 4\n\ndef f(x):\n    return A"),
        ("def f(x): 1\n```python\ndef f(x): 2\n```", "def f(x): 1\n"),
        ("def g(x): 1\n```python\ndef f(x): 2\n```", "def f(x): 2\n"),
        ("def f(x): 1```", "def f(x): 1"),
        ("    return x\n```\nIt returns x.", "    return x\n"),
        ("    return x\n\ndef g(): pass", "    return x\n\ndef g(): pass"),
    ],
)
def test_code_is_the_first_block_that_defines_the_function_or_the_first_or_the_text(text, code):
    assert code_in(text, ["f"]) == code


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(x): 1", True),
        ("async  def f(): 1", True),
        ("a\nclass f: 1", True),
        ("f = lambda x: x", True),
        ("f == 1", False),
        ("def ff(x): 1", False),
        ("f(1)", False),
        ("class A:\n    def f(self): 1", False),
    ],
)
def test_what_defines_a_name(code, expected):
    assert defines(code, ["f"]) is expected


@pytest.mark.parametrize(
    "piece",
    [
        "`",
        "~",
        "```\n",
        "```x",
        "```python\n",
        "[",
        "(",
        " ",
        "\n",
        "\t\n",
        "a",
        "def ",
        "f =",
        "a,",
        "\r",
    ],
)
def test_time_grows_with_the_length_and_no_faster(piece):
    times = []
    for size in (100_000, 800_000):
        text = piece * (size // len(piece))
        gc.disable()  # a whole run's objects would be looked through time and again
        started = time.process_time()  # of the processor: the clock counts what others do
        code_in(text, ["f"])
        times.append(time.process_time() - started)
        gc.enable()
    # In a process that has run all other tests, the memory of so many lines may cost a second.
    assert times[1] < 25 * times[0] + 2
