"""The first signal asks, the second stops at once; a signal that is ignored stays so."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from uniapl_cli.runs.signals import SIGNALS, Interrupted, Stopped, StopRequest, on_stop, stopping


@pytest.fixture(autouse=True)
def _usual():
    """The usual dispositions, whatever started the tests: a background job ignores SIGINT."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_request_notes_the_first_signal_and_stops_at_the_second(number):
    asked = []
    with StopRequest(asked.append) as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested and stop.number == number and asked == [False]
        with pytest.raises(Stopped) as caught:
            os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.number == signal.SIGTERM


@pytest.mark.parametrize("number", SIGNALS)
def test_a_block_that_is_interruptible_is_broken_off_by_the_first_signal(number):
    asked, done = [], []
    with StopRequest(asked.append) as stop:
        with pytest.raises(Interrupted), stop.interruptible():
            os.kill(os.getpid(), number)
            done.append("more")
        with pytest.raises(Interrupted), stop.interruptible():
            done.append("the next")
        assert (stop.number, asked, done) == (number, [True], [])
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)


def test_behind_an_interruptible_block_a_signal_is_a_request():
    with StopRequest() as stop:
        with stop.interruptible():
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested


def test_a_request_that_comes_into_the_middle_of_a_print_still_stops():
    def ask(at_once):
        raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    with StopRequest(ask) as stop, pytest.raises(Interrupted), stop.interruptible():
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_terminal_that_closes_sends_its_signal_twice():
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop.number == signal.SIGHUP


def test_the_handlers_of_before_come_back():
    before = [signal.getsignal(number) for number in SIGNALS]
    for block in (StopRequest, stopping):
        with block():
            assert signal.getsignal(signal.SIGTERM) != before[1]
        assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_an_ignored_signal_stays_ignored(number):
    signal.signal(number, signal.SIG_IGN)
    for block in (StopRequest, stopping):
        with block():
            os.kill(os.getpid(), number)


def test_in_another_thread_nothing_changes():
    def work():
        with StopRequest(), stopping():
            done.append(signal.getsignal(signal.SIGTERM))

    done, thread = [], threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGTERM)]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_block_is_stopped_with_notes_of_what_is_kept(number):
    with pytest.raises(Stopped) as caught, stopping(), on_stop("outer"), on_stop("inner"):
        os.kill(os.getpid(), number)
    assert caught.value.number == number
    assert caught.value.__notes__ == ["inner"]


def test_the_second_signal_ends_the_process_whatever_it_is_at():
    code = (
        "import os, signal; from uniapl_cli.runs.signals import stopping\n"
        "for n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, signal.SIG_DFL)\n"
        "with stopping():\n"
        "    try: os.kill(os.getpid(), signal.SIGINT)\n"
        "    finally: os.kill(os.getpid(), signal.SIGTERM); print('went on', flush=True)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (result.returncode, result.stdout) == (128 + signal.SIGTERM, b"")


def test_who_stays_deaf_hears_no_signal_after_the_last_block_that_handles_them():
    script = (
        "import os, signal\n"
        "from uniapl_cli.runs.signals import deaf, stay_deaf, stopping\n"
        "with stopping():\n"
        "    with deaf():\n"
        "        stay_deaf()\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "print('said')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "said\n")
