"""Of an archive only the wanted members are written, whole, and the same each time."""

import io
import zipfile

import pytest

from uniapl_cli.errors import DataError
from uniapl_cli.fetching import archive

MEMBERS = {
    "val/a_val.csv": b"id,question\n",
    "val/b_val.csv": b"id\n",
    "test/a_test.csv": b"x\n",
    "evil.py": b"import os\n",
}


def packed(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, body in members.items():
            opened.writestr(name, body)
    return file.getvalue()


@pytest.fixture
def upstream(of):
    """upstream(body, files): an archive on the hub."""

    def make(body, files):
        return of("dataset", {"exam.zip": body}, archive="exam.zip", files=files)

    return make


def test_the_wanted_members_are_written_and_checked(upstream, get, site):
    files = {"val/*.csv": "val/*.csv", "one.csv": "test/a_test.csv"}
    made = upstream(packed(MEMBERS), files)
    result, folder = get(made)
    names = {"val/a_val.csv", "val/b_val.csv", "one.csv"}
    assert set(result.files) == {"exam.zip", *names}
    assert (folder / "one.csv").read_bytes() == MEMBERS["test/a_test.csv"]
    assert not (folder / "evil.py").exists()
    asked = len(site.asked)
    assert get(made)[0].new == 0 and len(site.asked) == asked
    (folder / "one.csv").unlink()
    assert get(made)[0].new == 0
    assert (folder / "one.csv").read_bytes() == MEMBERS["test/a_test.csv"]
    (folder / "one.csv").write_text("changed\n")
    with pytest.raises(DataError):
        get(made)


@pytest.mark.parametrize("member", ["../a.csv", "/a.csv", "evil.py"])
def test_a_member_cannot_lead_out_of_the_folder_nor_be_code(upstream, get, member, tmp_path):
    made = upstream(packed({member: b"1"}), {"*": "*", "**": "*/*"} | {"x": "*|*/*"})
    with pytest.raises(DataError):
        get(made)
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize("body", [b"", b"no archive", packed(MEMBERS)[:-30]])
def test_a_damaged_archive_is_named(upstream, get, body):
    with pytest.raises(DataError, match=r"exam\.zip"):
        get(upstream(body, {"val/*.csv": "val/*.csv"}))


def test_a_member_that_is_missing_or_too_large_is_named(upstream, get, monkeypatch):
    with pytest.raises(DataError, match="dev"):
        get(upstream(packed(MEMBERS), {"dev.csv": "dev/a.csv"}))
    monkeypatch.setattr(archive, "LARGEST", 2)
    with pytest.raises(DataError, match="large"):
        get(upstream(packed(MEMBERS), {"a.csv": "val/a_val.csv"}), "large")
