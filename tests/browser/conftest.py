"""A page in Chromium, where Playwright and a browser are at hand."""

import os
import shutil
from contextlib import contextmanager

import pytest
from small_study import write_study

from uniapl_cli.commands.page import page as make_page

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium():
    """The browser. What it needs is imported here, so that collecting the tests needs nothing."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser here: none of {', '.join(NAMES)} is installed")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("playwright is not installed; make test-browser installs it")
    # Chromium's own sandbox is not to be had by root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory):
    """The page of a made-up study."""
    folder = write_study(tmp_path_factory.mktemp("browser") / "study")
    make_page(folder, table=2, title="A study")
    return folder / "page.html"


@pytest.fixture
def opened(chromium, page_file):
    """opened(hash, **context): the page in a new window; afterwards nothing may have gone wrong."""
    problems = []

    @contextmanager
    def window(address: str = "", **context):
        made = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | context)
        page = made.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.on("request", lambda request: problems.append(request.url) if foreign(request) else 0)
        page.goto(page_file.as_uri() + address)
        try:
            yield page
        finally:
            made.close()

    yield window
    assert problems == [], "errors, dialogs and requests"


def foreign(request) -> bool:
    return not request.url.startswith(("file:", "data:,"))
