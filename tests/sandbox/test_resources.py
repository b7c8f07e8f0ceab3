"""Attacks on the machine's resources. Each is bounded, for where it is not contained."""

import subprocess
import sys

import pytest


def test_an_endless_loop(contained):
    assert contained("while True: pass") == "ran longer than 1 s"


@pytest.mark.slow
def test_sleeping(contained):
    assert contained("import time; time.sleep(9)") == "ran longer than 1 s"


def test_a_catastrophic_regular_expression(contained):
    error = contained("import re; return bool(re.match('(a+)+$', 'a' * 60 + 'b'))")
    assert error == "ran longer than 1 s"


@pytest.mark.slow
def test_a_large_power(contained):
    assert contained("return 7 ** 7 ** 9 > 0") == "ran longer than 1 s"


@pytest.mark.slow
def test_a_loop_that_catches_everything(contained):
    body = """
import signal
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True:
    try:
        while True: pass
    except BaseException: pass
"""
    assert contained(body) == "ran longer than 1 s"


def test_a_memory_bomb(contained):
    body = """
blocks = []
for _ in range(64): blocks.append(b'x' * (8 << 20))
return True
"""
    assert contained(body) == "MemoryError"


def test_a_memory_bomb_of_small_things_that_stay(contained):
    body = """
global kept
kept = []
while len(kept) < 500_000: kept.append('%01000d' % len(kept))
return True
"""
    assert contained(body) == "MemoryError"


def test_a_fork_bomb(contained):
    body = """
import os, time
for _ in range(5): os.fork()
time.sleep(0.2)
return True
"""
    assert contained(body).startswith(("BlockingIOError", "PermissionError"))


def test_starting_a_program(contained):
    body = "import subprocess; return subprocess.run(['/bin/true']).returncode == 0"
    assert contained(body).startswith(("BlockingIOError", "PermissionError", "FileNotFoundError"))


def test_becoming_a_program(contained):
    body = "import os; os.execv('/bin/sh', ['sh', '-c', 'echo ran'])"
    assert contained(body).startswith(("PermissionError", "FileNotFoundError"))


def test_a_thread_bomb(contained):
    body = """
import threading, time
for _ in range(50): threading.Thread(target=time.sleep, args=(0.5,)).start()
return True
"""
    assert contained(body) == "RuntimeError: can't start new thread"


def test_deep_recursion(contained):
    body = "def f(n): return f(n + 1)\nreturn f(0)"
    assert contained(body).startswith("RecursionError: maximum recursion depth exceeded")


def test_deep_recursion_without_python_s_limit(contained):
    body = """
import sys
sys.setrecursionlimit(10 ** 9)
class Deep:
    def __repr__(self): return repr(self)
return repr(Deep()) == ''
"""
    error = contained(body)
    bounded = sys.version_info >= (3, 12) and error.startswith("RecursionError")  # in C too
    assert bounded or error in ("crashed (SIGSEGV)", "MemoryError", "MemoryError: stack overflow")


def test_source_nested_too_deeply(contained):
    error = contained("return eval('(' * 100_000 + ')' * 100_000)")
    assert error.startswith(("SyntaxError: too many nested parentheses", "MemoryError"))


def test_flooding_stdout(contained):
    assert contained("while True: print('x' * 1000)") == "wrote more than 100000 bytes of output"


def test_flooding_stdout_in_silence(contained):
    body = "import os\nwhile True: os.write(2, b'x' * 1000)"
    assert contained(body) == "wrote more than 100000 bytes of output"


def test_a_huge_file(contained):
    body = """
with open('file', 'wb') as file:
    for _ in range(64): file.write(b'x' * (1 << 20))
return True
"""
    assert contained(body).startswith(("OSError: [Errno 27]", "PermissionError", "OSError: [Errno"))


def test_many_files(contained):
    body = """
for n in range(2000): open(f'file{n}', 'w').close()
return True
"""
    assert contained(body).startswith(("OSError: [Errno 28]", "PermissionError"))


def test_many_open_files(contained):
    body = "files = [open('/dev/null') for _ in range(200)]\nreturn True"
    assert contained(body).startswith("OSError: [Errno 24] Too many open files")


def test_a_huge_error(contained):
    assert len(contained("raise ValueError('x' * 10_000_000)")) == 500


def test_an_error_that_cannot_be_printed(contained):
    body = """
class Rude(Exception):
    def __str__(self): raise SystemExit
raise Rude
"""
    assert contained(body) == "an exception that cannot be printed"


@pytest.mark.slow
def test_an_error_that_takes_for_ever_to_print(contained):
    body = """
class Slow(Exception):
    def __str__(self):
        while True: pass
raise Slow
"""
    assert contained(body) == "ran longer than 1 s"


LOWER = """
import resource
from uniapl_cli.sandbox import Call, Sandbox
resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
resource.setrlimit(resource.RLIMIT_CPU, (4, 4))
with Sandbox(workers=1) as box:
    print(box.run([Call("def evaluate(): return True")])[0].value)
"""


def test_limits_that_are_lower_already_stay():
    result = subprocess.run(
        [sys.executable, "-c", LOWER], capture_output=True, text=True, check=False
    )
    assert result.stdout == "True\n", result.stderr
