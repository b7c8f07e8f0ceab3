"""Talk goes to stderr, plainly where there is no terminal."""

import errno
import io
import logging
import sys
import time

import pytest

from uniapl_cli.runs import console
from uniapl_cli.runs.console import Bar, bar, progress_note, set_up_logging


def test_without_a_terminal_a_bar_is_silent_at_first(capsys):
    with bar("teacher", 10) as shown:
        shown.advance(3, "loss 1")
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_a_line_comes_now_and_then(capsys, monkeypatch):
    clock = iter(float(second) for second in (0, 4, 11, 13, 22))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    shown = Bar("teacher", 100)
    for count in (10, 20, 5, 65):
        shown.advance(count, "loss 1")
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    # 30 of 100 in 11 s leave 70, which take 26 s.
    assert first == "teacher: 30/100, 26 s left loss 1"
    assert second == "teacher: 100/100, 0 s left loss 1"


def test_what_was_done_before_does_not_count_for_the_time_left(capsys, monkeypatch):
    clock = iter(float(second) for second in (0, 1, 12))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    shown = Bar("train", 100)
    shown.start(80)
    shown.advance(11)
    # 11 in 11 s: the 9 that are left take 9 s.
    assert capsys.readouterr().err == "train: 91/100, 9 s left\n"


def test_tokens_that_are_drawn_are_told_as_they_are_now(capsys, monkeypatch):
    clock = iter(float(second) for second in (0, 1, 11, 22, 33, 44))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    shown = Bar("eval", 4)
    shown.tokens(10, 290.0)
    shown.tokens(110, 190.0)
    shown.tokens(220, 80.0)
    shown.advance(1)
    shown.advance(1, "2.5 rows/s")
    # 100 tokens in 10 s: 190 more take 19 s; 210 in 21 s: 80 more take 8 s.
    assert capsys.readouterr().err.splitlines() == [
        "eval: 0/4, 19 s left 110 tokens",
        "eval: 0/4, 8 s left 220 tokens",
        "eval: 1/4, 0 s left 220 tokens",
        "eval: 2/4, 0 s left 2.5 rows/s",
    ]


def test_the_last_line_says_where_it_ended(capsys, monkeypatch):
    monkeypatch.setattr(console, "PLAIN_INTERVAL", 0.0)
    with bar("filter", 10) as shown:
        shown.advance(7)
        monkeypatch.setattr(console, "PLAIN_INTERVAL", 60.0)
        shown.advance(3, "done")
    assert capsys.readouterr().err.splitlines()[-1].startswith("filter: 10/10")
    with pytest.raises(KeyboardInterrupt), bar("filter", 10) as shown:
        shown.printed = -60.0
        shown.advance(2)
        shown.advance(1)
        raise KeyboardInterrupt
    assert capsys.readouterr().err.splitlines()[-1].startswith("filter: 3/10")


def test_a_terminal_that_is_gone_stops_nothing(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Gone())
    monkeypatch.setattr(console, "PLAIN_INTERVAL", 0.0)
    set_up_logging()
    with bar("filter", 10) as shown:
        shown.advance(1)
        logging.getLogger("uniapl").warning("nobody hears this")


def test_a_bar_without_an_end_names_none(capsys, monkeypatch):
    monkeypatch.setattr(console, "PLAIN_INTERVAL", 0.0)
    with bar("filter", None) as shown:
        shown.advance(7)
    err = capsys.readouterr().err
    assert err.startswith("filter: 7")
    assert "left" not in err


@pytest.mark.parametrize("text", ["a path [a]/b", "rows :smile: ", "x" * 300])
def test_messages_are_one_line_each_as_they_are(capsys, text):
    set_up_logging()
    logging.getLogger("uniapl").warning("%s", text)
    logging.getLogger("uniapl").info("%s", text)
    assert capsys.readouterr() == ("", f"warning: {text}\n{text}\n")


def test_brief_names_what_is_there():
    assert progress_note({"loss": 0.12345, "other": 1}, ["loss", "absent"]) == "loss 0.123"
