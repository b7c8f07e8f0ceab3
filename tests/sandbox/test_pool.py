"""The pool: order, workers that die, what is refused, and how fast it is."""

import os
import signal
import statistics
import subprocess
import sys
import time

import pytest
from ending import children, end
from pydantic import ValidationError

from uniapl_cli.sandbox import (
    MECHANISMS,
    PROTECTIONS,
    Call,
    Limits,
    Sandbox,
    SandboxError,
    SandboxOptions,
    autoif,
    autoif_many,
    capabilities,
)
from uniapl_cli.sandbox.worker import Worker

IS_LONG = "def evaluate(text): return len(text) > 9"


@pytest.fixture(scope="module")
def pool():
    with Sandbox(Limits(seconds=1), workers=2, require=()) as box:
        yield box


def test_outcomes_are_in_the_order_of_the_calls(pool):
    source = "import time\ndef evaluate(wait, answer): time.sleep(wait); return answer"
    calls = [Call(source, args=(0.1 if n % 3 == 0 else 0, n % 2)) for n in range(12)]
    assert [outcome.value for outcome in pool.run(calls)] == [n % 2 == 1 for n in range(12)]


def test_workers_run_at_the_same_time(pool):
    source = "import time\ndef evaluate(): time.sleep(0.4); return True"
    started = time.monotonic()
    assert all(outcome.value for outcome in pool.run([Call(source)] * 2))
    assert time.monotonic() - started < 0.75


@pytest.mark.slow
def test_time_of_the_processor_is_limited_apart_from_time_on_the_clock():
    idle = "import time\ndef evaluate(): time.sleep(1.2); return True"
    busy = "def evaluate():\n    while True: pass"
    with Sandbox(Limits(seconds=8, cpu_seconds=1), workers=2, require=()) as box:
        outcomes = box.run([Call(busy), Call(idle)])
    assert [o.error for o in outcomes] == ["used more than 1 s of the processor", None]


def test_no_calls(pool):
    assert pool.run([]) == []


def test_large_arguments_and_arguments_of_json(pool):
    source = "def check(a, b, c): return len(a) == 2_000_000 and b == [1, None] and c == {'x': 1.5}"
    call = Call(source, "check", ("é" * 2_000_000, (1, None), {"x": 1.5}))
    assert pool.run([call, call])[1].value is True


def test_a_worker_that_was_killed_is_replaced_and_the_call_runs_again():
    others = children(os.getpid())
    with Sandbox(workers=1, require=()) as box:
        before = children(os.getpid()) - others
        os.kill(box.pids[0], signal.SIGKILL)
        outcomes = box.run([Call(IS_LONG, args=("a" * n,)) for n in (9, 10)])
        assert [outcome.value for outcome in outcomes] == [False, True]
        assert end(before)


def test_a_worker_that_dies_again_is_an_error_and_is_replaced(monkeypatch):
    with Sandbox(workers=1, require=()) as box:
        send = Worker.send

        def send_and_kill(worker, call):
            send(worker, call)
            os.kill(worker.pid, signal.SIGKILL)

        monkeypatch.setattr(Worker, "send", send_and_kill)
        source = "import time\ndef evaluate(): time.sleep(0.5); return True"
        outcome = box.run([Call(source)])[0]
        monkeypatch.undo()
        assert outcome.value is None
        assert outcome.error == "the sandbox's worker ended (exit code -9)"
        assert box.run([Call(IS_LONG, args=("",))])[0].value is False


def test_after_an_interrupt_no_call_gets_another_s_outcome(pool, monkeypatch):
    def interrupt(busy):
        raise KeyboardInterrupt

    monkeypatch.setattr("uniapl_cli.sandbox.pool._ready", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pool.run([Call("def evaluate(): return True")] * 2)
    monkeypatch.undo()
    assert [o.value for o in pool.run([Call(IS_LONG, args=("",))] * 3)] == [False] * 3


def test_closing_leaves_no_process_and_no_folder():
    others = children(os.getpid())
    with Sandbox(workers=2, require=()) as box:
        folder = box._folder.path
        started = children(os.getpid()) - others
        assert len(started) >= 2
        assert list(folder.iterdir()) == []
    assert end(started)
    assert not folder.exists()
    with pytest.raises(SandboxError):
        box.run([Call(IS_LONG, args=("",))])


def test_packages_are_importable_where_they_are_named(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "helper.py").write_text("answer = 42")
    call = Call("import helper\ndef evaluate(): return helper.answer == 42")
    with Sandbox(workers=1, require=()) as box:
        assert box.run([call])[0].error == "ModuleNotFoundError: No module named 'helper'"
    with Sandbox(workers=1, require=(), packages=[tmp_path]) as box:
        if not box.capabilities.mechanisms["namespaces"].startswith("on"):
            pytest.skip("this user's folders are not nobody's to read")
        assert box.run([call])[0].value is True


def test_what_the_kernel_does_not_protect_is_refused():
    with pytest.raises(SandboxError) as caught:
        Sandbox(workers=1, mechanisms=())
    assert {"files", "network", "signals"} <= set(caught.value.got)
    with Sandbox(workers=1, mechanisms=(), require=()) as box:
        assert box.run([Call(IS_LONG, args=("",))])[0].value is False


def test_capabilities_name_every_mechanism():
    report = capabilities()
    assert set(report.mechanisms) == {*MECHANISMS, "user"}
    assert all(text.startswith(("on", "off")) for text in report.mechanisms.values())
    assert report.protections <= set(PROTECTIONS)
    assert str(report).startswith("not protected: ")


def test_other_systems_are_refused(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(SandboxError) as caught:
        Sandbox()
    assert caught.value.got == "darwin"


@pytest.mark.parametrize(
    "option", [{"seconds": 0}, {"memory_mb": -1}, {"workers": 0}, {"require": ["everything"]}]
)
def test_options_that_cannot_be(option):
    with pytest.raises(ValidationError) as caught:
        SandboxOptions(**option)
    assert caught.value.errors()[0]["loc"][0] in option


def test_what_is_said_of_the_pool_itself_does_not_reach_the_workers():
    options = SandboxOptions(seconds=2, workers=1, require=[])
    with Sandbox(options, options.workers, require=options.require) as box:
        assert box.run([Call(IS_LONG, args=("",))])[0].value is False


def test_autoif(pool):
    sources = [IS_LONG, "def evaluate(text): return 'true'", "def evaluate(text): 1 / 0", IS_LONG]
    assert [o.value for o in autoif(pool, sources, "short")] == [False, True, None, False]
    rows = autoif_many(pool, [(sources[:1], "short"), (sources[:2], "long enough"), ([], "")])
    assert [[o.value for o in row] for row in rows] == [[False], [True, True], []]


@pytest.mark.slow
def test_many_times_one_interpreter_a_call(pool):
    sources = [
        "def evaluate(text): return 'e' not in text.lower()",
        "import re\ndef evaluate(text): return len(re.findall('[a-z]+', text)) > 2",
        "import math\ndef evaluate(text): return math.isqrt(len(text)) ** 2 == len(text)",
        "def evaluate(text): return text.split() == sorted(text.split())",
    ]
    text = "an essay or poem we write"

    def by_pool():
        calls = [Call(source, args=(text,)) for source in sources * 5]
        return [outcome.value for outcome in pool.run(calls)][:4], len(calls)

    def by_interpreters():
        end = "\nimport sys; print(evaluate(sys.stdin.read()))"
        command = [[sys.executable, "-c", source + end] for source in sources]
        started = [subprocess.Popen(c, stdin=-1, stdout=-1, text=True) for c in command[:2]]
        outputs = [process.communicate(text)[0] for process in started]
        started = [subprocess.Popen(c, stdin=-1, stdout=-1, text=True) for c in command[2:]]
        outputs += [process.communicate(text)[0] for process in started]
        return [answer == "True\n" for answer in outputs], len(command)

    ratios = []
    for _ in range(7):
        rates = []
        for run in (by_pool, by_interpreters):
            started = time.perf_counter()
            values, count = run()
            rates.append(count / (time.perf_counter() - started))
            assert values == [False, True, True, True]
        ratios.append(rates[0] / rates[1])
    # What a machine busy with other things holds too; benchmarks/results has the measured 16.
    assert statistics.median(ratios) >= 5, ratios
