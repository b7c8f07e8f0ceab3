"""The page of a study in a real browser: paging, filters, keys, address, themes, phones."""

import pytest
from small_study import HOSTILE, PROMPTS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

COUNT, CARDS = "#count", "#cards > li"


def ids(page) -> list[str]:
    return page.locator(f"{CARDS} h3").all_text_contents()


def count(page) -> str:
    return page.locator(COUNT).text_content()


def focused(page) -> str:
    """The name of the sample that has the focus."""
    return page.evaluate("document.activeElement.closest('li')?.querySelector('h3').textContent")


def overflow(page) -> int:
    """By how many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def test_samples_are_paged(opened):
    with opened() as page:
        assert count(page) == f"{PROMPTS} samples, page 1 of 3"
        assert ids(page) == [f"p-{n}" for n in range(10)]
        assert page.locator(".previous").first.is_disabled()
        page.locator(".next").first.click()
        page.locator(".next").last.click()
        assert ids(page) == [f"p-{n}" for n in range(20, PROMPTS)]
        assert page.locator(".next").first.is_disabled()
        page.select_option("#size", "50")
        assert len(ids(page)) == PROMPTS


def test_a_sample_shows_what_each_model_said_and_how_it_was_judged(opened):
    with opened() as page:
        card = page.locator(CARDS).nth(1)
        assert card.locator("h4").all_text_contents() == [
            "base✓ pass",
            "unified-0✗ fail",
            "unified-1✗ fail",
        ]
        assert 'keywords=["harbour"]' in card.locator(".instructions").text_content()
        answer = card.locator(".answer").nth(1)
        assert answer.locator(".said").text_content() == "Model 1 says 1."
        assert [text.strip() for text in answer.locator(".verdicts li").all_text_contents()] == [
            "✓pass: punctuation:no_comma",
            "✗fail: keywords:existence loosely pass",
        ]
        facts = answer.locator(".facts").text_content()
        assert all(text in facts for text in ("score1.01", "tokens11", "cut off"))


def test_a_benchmark_s_samples_show_what_was_read(opened):
    with opened() as page:
        page.select_option("#set", label="GSM8K, greedy")
        facts = page.locator(f"{CARDS} >> nth=3").locator(".facts").nth(1).text_content()
        assert "read7" in facts and "reasonthe answer is 6" in facts
        assert not page.locator("#instruction").is_visible()


def test_filters_leave_what_they_say(opened):
    with opened() as page:
        page.fill("#q", "SAYS 7.")
        assert ids(page) == ["p-7"]
        page.fill("#q", "no such text")
        assert ids(page) == [] and count(page) == f"No sample of {PROMPTS} is like that."
        page.click("#reset")
        page.check("#disagree")
        assert count(page).startswith(f"{PROMPTS - 4} of {PROMPTS}")  # all pass multiples of 6
        page.uncheck("#disagree")
        page.select_option("#fails", label="unified-0")
        assert ids(page) == [f"p-{n}" for n in range(1, 20, 2)]
        page.select_option("#passes", label="unified-1")
        assert ids(page) == ["p-3", "p-9", "p-15", "p-21"]
        page.select_option("#instruction", "punctuation:no_comma")
        assert ids(page) == [], "all pass that instruction"


def test_models_that_are_not_shown_count_for_nothing(opened):
    with opened() as page:
        page.uncheck("#model-2")
        page.check("#disagree")
        assert count(page).startswith("12 of")
        assert page.locator(f"{CARDS} >> nth=0").locator(".answer").count() == 2
        page.uncheck("#model-0")
        page.uncheck("#model-1")
        assert ids(page) == []


def test_samples_are_in_the_order_of_a_difference(opened):
    with opened() as page:
        page.fill("#q", "says")
        page.select_option("#set", label="heldout.jsonl, greedy")
        page.select_option("#sort", "score")
        page.select_option("#first", label="unified-1")
        page.select_option("#second", label="base")
        tags = page.locator(".tag").all_text_contents()
        assert tags[0] == "score: unified-1 − base = +2.00"
        page.select_option("#first", label="base")
        page.select_option("#second", label="base")
        assert ids(page)[0] == "p-1", "of equals the data's order stays"


def test_a_hostile_response_is_text(opened):
    with opened() as page:
        assert page.locator(".said").nth(1).text_content() == HOSTILE
        assert page.locator("img").count() == 0


def test_keys(opened):
    with opened() as page:
        for key in ("j", "j", "k", "j"):
            page.keyboard.press(key)
        assert focused(page) == "p-1"
        page.keyboard.press("n")
        assert (ids(page)[0], focused(page)) == ("p-10", "p-10")
        page.keyboard.press("k")
        assert (ids(page)[0], focused(page)) == ("p-0", "p-9")
        page.keyboard.press("j")
        assert focused(page) == "p-10"
        page.keyboard.press("p")
        page.keyboard.press("/")
        page.keyboard.type("says 13. nj")
        assert page.input_value("#q") == "says 13. nj", "keys are letters where text is typed"
        page.keyboard.press("Escape")
        page.keyboard.press("r")
        assert page.input_value("#q") == ""
        page.keyboard.press("?")
        assert page.locator("#help").is_visible()
        page.keyboard.press("Escape")
        assert not page.locator("#help").is_visible()


def test_the_first_tab_leads_past_the_head(opened):
    with opened() as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#results"


def test_a_link_leads_to_the_same_view(opened):
    with opened() as page:
        page.uncheck("#model-2")
        page.fill("#q", "says 1")
        page.select_option("#fails", label="unified-0")
        page.select_option("#size", "5")
        page.locator(".next").first.click()
        shown, address = ids(page), page.evaluate("location.hash")
        assert shown == ["p-19"]
    with opened(address) as page:
        assert ids(page) == shown
        assert page.input_value("#q") == "says 1"
        assert not page.is_checked("#model-2")
        page.click("#reset")
        assert page.evaluate("location.hash") == "#samples?"


@pytest.mark.parametrize(
    "address", ["#samples?set=no&model=no&size=-3&page=99&fails=no", "#samples?%%%&page=x", "#no"]
)
def test_a_link_that_says_nonsense_shows_samples(opened, address):
    with opened(address) as page:
        assert ids(page)


def test_the_theme_is_the_systems_until_it_is_chosen(opened):
    def ground(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    with opened(color_scheme="dark") as page:
        dark = ground(page)
        page.click("#theme")
        light = ground(page)
        assert light != dark and page.locator("#theme").text_content() == "Theme: light"
        page.reload()
        assert ground(page) == light, "the choice is kept"
    with opened(color_scheme="light") as page:
        assert ground(page) == light
        page.click("#theme")
        page.click("#theme")
        assert ground(page) == dark


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_is_never_wider_than_the_window(opened, width):
    with opened(viewport={"width": width, "height": 800}) as page:
        assert overflow(page) <= 0
        for details in page.locator("details").all():
            details.evaluate("element => { element.open = true; }")
        page.select_option("#sort", "score")
        assert overflow(page) <= 0
        answers = page.locator(f"{CARDS} >> nth=0").locator(".answer")
        tops = {round(box.bounding_box()["y"]) for box in answers.all()}
        assert len(tops) == (3 if width == 360 else 1), "stacked on a phone, else side by side"


def test_a_config_is_copied(opened):
    with opened() as page:
        for details in page.locator("details").all():
            details.evaluate("element => { element.open = true; }")
        page.locator("#configs button.copy").first.click()
        page.get_by_text("Copied", exact=True).wait_for()


def test_every_link_of_the_contents_leads_to_its_section(opened):
    with opened() as page:
        for link in page.locator("header nav a").all():
            link.click()
            title = page.locator(f"{link.get_attribute('href')} > h2")
            assert title.text_content() == link.text_content()
            title.wait_for(state="visible")


def test_without_scripts_all_but_samples_is_there(opened):
    with opened(java_script_enabled=False) as page:
        assert page.locator("#results td").count() > 0
        assert page.locator("#configs pre").count() == 3
        assert "JavaScript" in page.locator("noscript").inner_text()


def test_paper_has_neither_controls_nor_cut_texts(opened):
    with opened() as page:
        page.emulate_media(media="print")
        assert not page.locator("#filters").is_visible()
        assert page.locator(CARDS).count() == 10
