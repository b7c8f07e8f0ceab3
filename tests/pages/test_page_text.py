"""The page as text: no text becomes markup, nothing is loaded, every link leads somewhere."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from small_study import HOSTILE, write_eval, write_run, write_study

from uniapl_cli.errors import DataError
from uniapl_cli.pages.html import Html, element, embedded, joined
from uniapl_cli.pages.page import make_page
from uniapl_cli.pages.study import read_study


class Parsed(HTMLParser):
    """The elements of a page with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict, list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        self.elements.append(("", {}, []))

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][2].append(data)

    def all(self, tag: str) -> list[tuple[dict, str]]:
        return [(attrs, "".join(said)) for name, attrs, said in self.elements if name == tag]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("text") / "study")


@pytest.fixture(scope="module")
def text(whole) -> str:
    return make_page(read_study(whole), table=2).text


@pytest.fixture(scope="module")
def parsed(text) -> Parsed:
    return Parsed(text)


def test_text_is_escaped_and_html_is_not():
    inner = element("b", "<i>", title='a"b')
    assert inner == '<b title="a&quot;b">&lt;i&gt;</b>'
    assert element("p", inner, None, ["&", 1]) == f"<p>{inner}&amp;1</p>"
    assert element("input", disabled=True, hidden=False, for_="x", data_a=1) == (
        '<input disabled for="x" data-a="1">'
    )
    assert isinstance(joined(["a"]), Html)


def test_data_end_no_element_and_are_read_back():
    value = {"said": [HOSTILE, "<!--", "]]>", "\ud800"]}
    script = embedded("id", value)
    (found,) = re.findall(r">(.*)</script>$", script)
    assert not set("<>&\u2028\u2029") & set(found)
    assert json.loads(found)["said"][0] == HOSTILE


def test_the_same_files_make_the_same_page(whole, text):
    assert make_page(read_study(whole), table=2).text == text


def test_a_hostile_response_is_text_in_the_data_alone(text, parsed):
    assert HOSTILE not in text
    assert parsed.all("img") == []
    assert all(attrs.keys() <= {"type", "id"} for attrs, _ in parsed.all("script"))


def test_hostile_names_keys_and_commands_are_text(tmp_path):
    write_eval(tmp_path / "eval", HOSTILE, 0)
    write_run(tmp_path / "run", "a")
    write_run(tmp_path / "other", "b")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text() + "'<img src=y>': '<img src=z>'\n", encoding="utf-8")
    environment = {"command": ["<img src=z>"], "<img>": "<img>"}
    (tmp_path / "run" / "environment.json").write_text(json.dumps(environment))
    page = Parsed(make_page(read_study(tmp_path), title="<img>").text)
    assert page.all("img") == []
    assert page.all("title")[0][1] == "<img>"


def test_only_what_the_policy_names_by_its_hash_runs_and_styles(parsed):
    (policy,) = (a["content"] for a, _ in parsed.all("meta") if "http-equiv" in a)
    assert "default-src 'none'" in policy and "unsafe" not in policy
    code = [said for attrs, said in parsed.all("script") if "type" not in attrs]
    styles = [said for _, said in parsed.all("style")]
    assert code and len(styles) == 1
    for said in code + styles:
        digest = base64.b64encode(hashlib.sha256(said.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert all(
        not name.startswith("on") and name != "style" for _, a, _ in parsed.elements for name in a
    )


def test_nothing_is_loaded(parsed):
    loaded = [
        value
        for _, attrs, _ in parsed.elements
        for name, value in attrs.items()
        if name in ("src", "href", "action", "data", "poster", "srcset")
    ]
    assert loaded
    assert all(value.startswith("#") or value == "data:," for value in loaded)
    styles = "".join(said for _, said in parsed.all("style"))
    assert "url(" not in styles and "@import" not in styles


def test_every_link_leads_to_one_place_and_every_control_has_a_label(parsed):
    ids = [attrs["id"] for _, attrs, _ in parsed.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs, _ in parsed.all("a")} <= set(ids)
    labelled = {attrs["for"] for attrs, _ in parsed.all("label")}
    controls = [a["id"] for tag in ("select", "input") for a, _ in parsed.all(tag)]
    assert controls and set(controls) <= labelled


def test_no_script_reads_text_as_markup(text):
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)


def test_figures_are_there_over_seeds_and_for_each(text):
    assert "Over seeds, on heldout.jsonl" in text
    assert "unified-1" in text and "All metrics" in text


def test_the_papers_table_has_the_published_figures_and_ours(text):
    assert "The paper&#x27;s Table 2" in text
    assert "ours: unified (2 seeds)" in text


def test_a_table_that_the_paper_does_not_have_is_refused(study):
    with pytest.raises(DataError) as caught:
        make_page(study, table=1)
    assert "12" in caught.value.allowed


def test_evaluations_on_other_data_are_other_tables(tmp_path):
    for number in (0, 1):
        write_eval(tmp_path / str(number), f"m-{number}", number)
        file = tmp_path / str(number) / "eval.json"
        result = json.loads(file.read_text()) | {"data": f"data{number}.jsonl"}
        file.write_text(json.dumps(result))
    page = make_page(read_study(tmp_path), table=2)
    assert "data0.jsonl" in page.text and "data1.jsonl" in page.text


def test_what_was_left_out_is_counted_on_the_page_and_beside_it(study):
    page = make_page(study, prompts=5)
    assert len(page.left_out) == 2
    assert all(said in page.text for said in page.left_out)
    assert "19 were left out" in page.left_out[0]


def test_a_study_within_a_path_says_nothing_of_it(tmp_path):
    folder = write_study(tmp_path / "hidden-path" / "study")
    assert "hidden-path" not in make_page(read_study(folder)).text


def test_known_metrics_are_explained_once_and_others_not_at_all(text):
    assert text.count("share of responses that follow all instructions of their prompt") == 1
    assert text.count('<dl class="meanings">') == 1
