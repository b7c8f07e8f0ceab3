"""A call's own limits hold for it alone; what an outcome says of why, and of waiting."""

from collections.abc import Iterator

import pytest

from uniapl_cli.sandbox import Call, Limits, Program, Sandbox

OWN = Limits(seconds=0.3, cpu_seconds=1, memory_mb=128, output_bytes=100)
WIDE = Limits(seconds=9, cpu_seconds=9, memory_mb=256, output_bytes=1 << 20)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    """One worker, so that a call follows another in it; half a second, 128 MB, 1000 bytes."""
    limits = Limits(seconds=0.5, cpu_seconds=1, memory_mb=128, output_bytes=1000)
    with Sandbox(limits, workers=1, require=()) as box:
        yield box


def sleeping(seconds):
    return f"import time\ntime.sleep({seconds})"


@pytest.mark.parametrize(
    ("source", "own", "at_the_sandbox_s"),
    [
        (sleeping(0.4), "ran longer than 0.3 s", None),
        ("print('x' * 500)", "wrote more than 100 bytes of output", None),
    ],
)
def test_a_call_s_own_limits_hold_and_the_next_has_the_sandbox_s(
    box, source, own, at_the_sandbox_s
):
    outcomes = box.run([Program(source), Program(source, limits=OWN), Program(source)])
    assert [one.error for one in outcomes] == [at_the_sandbox_s, own, at_the_sandbox_s]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (sleeping(0.7), "ran longer than 0.5 s"),
        ("text = 'x' * (150 << 20)", "MemoryError"),
        ("print('x' * 5000)", "wrote more than 1000 bytes of output"),
    ],
)
def test_a_call_s_own_limits_may_be_wider_than_the_sandbox_s(box, source, error):
    outcomes = box.run([Program(source), Program(source, limits=WIDE), Program(source)])
    assert [one.error for one in outcomes] == [error, None, error]


def test_a_call_that_outlives_the_sandbox_s_grace_is_waited_for(box, monkeypatch):
    monkeypatch.setattr("uniapl_cli.sandbox.worker.GRACE_SECONDS", 0.2)
    source = f"{sleeping(1.2)}\ndef evaluate(): return True"
    assert box.run([Call(source, limits=WIDE)])[0].value is True


@pytest.mark.slow
def test_time_of_the_processor_is_a_call_s_own_too(box):
    busy = "while True: pass"
    own = Limits(seconds=8, cpu_seconds=1)
    (outcome,) = box.run([Program(busy, limits=own)])
    assert outcome.error == "used more than 1 s of the processor" and not outcome.waited


def test_a_program_of_another_name_does_not_run_what_is_for_main(box):
    source = (
        "if __name__ == '__main__': raise SystemExit\nimport sys\nassert __name__ in sys.modules"
    )
    assert box.run([Program(source, name="answer")])[0].value is True
    assert box.run([Program(source)])[0].error == "SystemExit"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(x): return x\n\nassert f(1) == 2", "assert f(1) == 2"),
        ("assert (1 ==\n    2), 'one'", "assert (1 == (one)"),
        ("def check(f):\n    assert f() == 3, 'no 3'\ncheck(lambda: 2)", "assert f() == 3, 'no 3'"),
        ("raise AssertionError", "raise AssertionError"),
        ("exec('assert False')", "exec('assert False')"),
        ("assert 'é' * 9000 == ''", "assert 'é' * 9000 == ''"),
        (f"assert {'(' * 99}0{')' * 99}, {'é' * 3000!r}", None),
        ("class Text(str):\n    def __str__(self): raise SystemExit\nassert 0, Text()", ""),
        ("assert True", ""),
    ],
)
def test_a_failed_assertion_says_which_line_it_was(box, source, reason):
    (outcome,) = box.run([Program(source)])
    assert outcome.error is None and len(outcome.reason) <= 500
    assert reason is None or outcome.reason == reason


def test_what_slept_waited_and_what_was_busy_or_in_time_did_not(box):
    own = Limits(seconds=0.3, cpu_seconds=1)
    slept, quick = box.run([Program(sleeping(2), limits=own), Program("1", limits=own)])
    assert (slept.waited, quick.waited) == (True, False)
