"""Which failures are repeated, and after how long a pause."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from uniapl_cli.http.retries import is_transient, retry_after


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503, 599])
def test_what_waiting_may_mend(status):
    assert is_transient(status)


@pytest.mark.parametrize("status", [302, 400, 401, 404, 413, 422])
def test_what_waiting_does_not_mend(status):
    assert not is_transient(status)


def test_retry_after_may_be_a_date():
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    assert 38 <= retry_after({"retry-after": then}) <= 40
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=40), usegmt=True)
    assert retry_after({"retry-after": past}) == 0


@pytest.mark.parametrize(
    "wish",
    ["soon", "nan", "inf", "", "1 Foo 2026 0:0:0", "Fri, 1 Nov 99999999999999999999 0:0:0 GMT"],
)
def test_a_senseless_retry_after_is_none(wish):
    assert retry_after({"retry-after": wish}) is None
