"""What counts as a verdict, and attacks on it."""

import pytest

from uniapl_cli.sandbox import Call, Program, as_verdict


@pytest.mark.parametrize(
    ("returned", "verdict"),
    [
        ("True", True),
        ("False", False),
        ("1", True),
        ("0", False),
        ("'true'", True),
        ("' False\\n'", False),
    ],
)
def test_verdicts(judge, returned, verdict):
    outcome = judge(f"return {returned}")
    assert (outcome.value, outcome.error) == (verdict, None)
    assert as_verdict(eval(returned)) is verdict


@pytest.mark.parametrize(
    ("returned", "shown"),
    [
        ("None", "None"),
        ("2", "2"),
        ("1.0", "1.0"),
        ("10 ** 20", "a value of type int"),
        ("'yes'", "a value of type str"),
        ("[True]", "a value of type list"),
        ("(lambda: True)", "a value of type function"),
    ],
)
def test_what_is_no_verdict(judge, returned, shown):
    outcome = judge(f"return {returned}")
    error = f"returned no verdict but {shown}"
    assert (outcome.value, outcome.error) == (None, f"ValueError: {error}")
    with pytest.raises(ValueError) as caught:
        as_verdict(eval(returned))
    assert str(caught.value) == error


def test_no_function(box):
    outcome = box.run([Call("def other(text): return True", args=("",))])[0]
    assert outcome.error == "NameError: the source defines no function 'evaluate'"


def test_source_that_is_no_python(box):
    outcome = box.run([Call("def evaluate(text) return True", args=("",))])[0]
    assert outcome.value is None
    assert outcome.error is not None and outcome.error.startswith("SyntaxError")


def test_a_result_with_hostile_methods(contained):
    body = """
class Hostile(int):
    def __bool__(self): import os; os._exit(0)
    __eq__ = __index__ = __int__ = __str__ = __repr__ = __len__ = __bool__
    def __hash__(self): return hash(True)
    @property
    def __class__(self): return bool
return Hostile(1)
"""
    assert contained(body) == "ValueError: returned no verdict but a value of type Hostile"


def test_a_result_whose_type_is_hostile(contained):
    body = """
class Meta(type):
    def __eq__(self, other): return True
    def __hash__(self): return hash(bool)
    @property
    def __name__(self): return 'bool'
class Hostile(metaclass=Meta): pass
return Hostile()
"""
    assert contained(body) == "ValueError: returned no verdict but a value of type Hostile"


@pytest.mark.parametrize("returned", ["'x' * (60 << 20)", "[0] * (6 << 20)", "7 ** 100_000"])
def test_a_huge_result(contained, returned):
    assert contained(f"return {returned}").startswith("ValueError: returned no verdict but a value")


@pytest.mark.parametrize("returned", ["False", "raise KeyError"])
def test_patching_builtins(judge, returned):
    end = returned if returned.startswith("raise") else f"return {returned}"
    body = f"""
import builtins, codecs, contextlib, json, os, struct, sys
for name in ('bool', 'type', 'int', 'str', 'len', 'bytes', 'isinstance', 'repr', 'vars', 'exec'):
    setattr(builtins, name, lambda *a, **k: True)
builtins.BaseException = builtins.Exception = builtins.ValueError = KeyError
os._exit = os.write = json.dumps = sys.exit = lambda *a, **k: True
contextlib.suppress.__exit__ = lambda *a: os.abort()
contextlib.suppress = sys.stdout = sys.stderr = None
sys.excepthook = lambda *a: True
{end}
"""
    outcome = judge(body)
    expected = (False, None) if returned == "False" else (None, "KeyError")
    assert (outcome.value, outcome.error) == expected


def test_writing_to_every_pipe(contained):
    body = """
import os
for fd in range(64):
    for forged in (b'T', b'True', b'\\0' * 16 + b'T', b'{"value": true}'):
        try: os.write(fd, forged)
        except OSError: pass
os._exit(0)
"""
    assert contained(body) == "wrote to the pipe of the verdict"


def test_closing_every_pipe(contained):
    error = contained("import os; os.closerange(0, 64); return True")
    assert error.endswith("before a verdict")


def test_output_is_kept_and_is_no_verdict(judge):
    outcome = judge("print('True', flush=True); import os; os.write(2, b'no'); return False")
    assert outcome.value is False
    assert outcome.output == "True\nno"


def test_an_outcome_of_a_strange_text(judge):
    text = "\ud800 \x00 é 𝄞 \r\n"
    assert judge(f"return text == {text!r}", text).value is True


def test_programs(box):
    assert box.run_program("print(input()[::-1])", "abc").output == "cba\n"
    assert box.run_program("assert 1 + 1 == 2").value is True
    assert box.run_program("assert 1 + 1 == 3").value is False
    assert box.run_program("assert __name__ == '__main__'\nimport __main__").value is True
    assert box.run_program("1 / 0").error == "ZeroDivisionError: division by zero"
    assert box.run_program("raise SystemExit(0)").error == "SystemExit: 0"
    large = "x" * 3_000_000
    read = "import sys; assert len(sys.stdin.read()) == 3_000_000"
    assert box.run_program(read, large).value is True


def test_a_dataclass_in_a_program(box):
    source = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    source += "@dataclass\nclass Point:\n    x: int\nassert Point(1).x == 1"
    assert box.run([Program(source)])[0].value is True


def test_a_function_s_source_is_no_program(box):
    guarded = (
        "import sys\ndef evaluate(): return sys.modules[__name__].evaluate is evaluate\n"
        "if __name__ == '__main__': print(evaluate(input()))"
    )
    assert box.run([Call(guarded)])[0].value is True
    assert box.run([Program(guarded)])[0].error.startswith("EOFError")
