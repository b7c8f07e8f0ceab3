"""One place decides what an output may be: streams are written through, links stay."""

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from uniapl_cli import outputs
from uniapl_cli.errors import DataError
from uniapl_cli.files import replacing, write_rows
from uniapl_cli.outputs import check_folder, check_output, find_output

ROOT = os.geteuid() == 0


def written(path, text="new"):
    with replacing(path) as file:
        file.write(text)


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def refused(path, act=check_output):
    with pytest.raises(DataError) as caught:
        act(path)
    assert caught.value.got == str(path)
    assert "\n" not in str(caught.value)


def test_a_pipe_is_written_through(tmp_path):
    path, texts = tmp_path / "pipe", []
    os.mkfifo(path)
    check_output(path)  # without a reader, and without waiting for one
    reader = threading.Thread(target=lambda: texts.append(path.read_text()))
    reader.start()
    written(path)
    reader.join()
    assert texts == ["new"]
    assert path.is_fifo() and names(tmp_path) == ["pipe"]


def test_a_pipe_that_nothing_reads_is_refused_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "READER_SECONDS", 0.05)
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", written)


def test_what_can_be_written_but_not_replaced_is_written(tmp_path, monkeypatch):
    """As a mounted file, and another user's in a sticky folder."""
    for number in (errno.EBUSY, errno.EPERM):
        (tmp_path / "file").write_text("old")
        inode = (tmp_path / "file").stat().st_ino
        with monkeypatch.context() as patch:

            def refuse(*_, number=number):
                raise OSError(number, os.strerror(number))

            patch.setattr(Path, "replace", refuse)
            written(tmp_path / "file")
        assert (tmp_path / "file").read_text() == "new"
        assert (tmp_path / "file").stat().st_ino == inode and names(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["new/", "folder/", "file/", "-"])
def test_a_name_that_means_no_file_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    refused(name)
    refused(name, written)
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.skipif(not ROOT, reason="only root makes devices")
def test_a_device_is_written_through_also_by_a_link(tmp_path):
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        written(device)
    except (PermissionError, DataError) as error:
        pytest.skip(f"no devices here: {error}")
    (tmp_path / "link").symlink_to("null")
    check_output(tmp_path / "link")
    written(tmp_path / "link")
    assert device.is_char_device() and (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_the_standard_output_is_written_where_it_stands(tmp_path, name):
    """A file that the shell opened is not replaced: what else is printed stays in it."""
    (tmp_path / "link").symlink_to("/dev/stdout")
    code = (
        "import sys; from uniapl_cli.files import write_rows; print('before', flush=True);"
        "write_rows(sys.argv[1], [{'a': 1}]); print('after')"
    )
    with (tmp_path / "out").open("w") as file:
        command = [sys.executable, "-c", code, name]
        subprocess.run(command, stdout=file, check=True, cwd=tmp_path)
    assert (tmp_path / "out").read_text() == 'before\n{"a": 1}\nafter\n'


@pytest.mark.parametrize("target", ["file", "absent"])
def test_a_link_stays_and_its_target_is_written(tmp_path, target):
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "first").symlink_to(tmp_path / "folder" / "second")
    (tmp_path / "folder" / "second").symlink_to(f"../{target}")
    check_output(tmp_path / "first")
    written(tmp_path / "first")
    assert (tmp_path / target).read_text() == "new"
    assert not (tmp_path / target).is_symlink()
    assert (tmp_path / "first").is_symlink() and (tmp_path / "folder" / "second").is_symlink()


def test_a_link_that_leads_nowhere_is_refused(tmp_path):
    (tmp_path / "into").symlink_to("absent/file")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "self").symlink_to("self")
    before = names(tmp_path)
    for path in ("into", "a", "self", "self/file"):
        refused(tmp_path / path)
        refused(tmp_path / path, written)
    assert names(tmp_path) == before


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "to a folder").symlink_to("folder")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path in ("folder", "to a folder", "socket", "file/below"):
            refused(tmp_path / path)
            refused(tmp_path / path, written)


@pytest.mark.parametrize(
    "name", ["a\0b", "a" * 300, "é" * 128, "a/" * 2100 + "b", "half \ud800"], ids=ascii
)
@pytest.mark.parametrize("act", [check_output, check_folder, written])
def test_a_name_that_no_file_can_have_is_refused(name, act, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(name, act)
    assert names(tmp_path) == []


def test_the_longest_name_can_be_written(tmp_path):
    for name in ("a" * 255, "é" * 127):
        check_output(tmp_path / name)
        written(tmp_path / name)
        assert (tmp_path / name).read_text() == "new"
    assert len(names(tmp_path)) == 2


def test_a_check_leaves_everything_as_it_was(tmp_path):
    (tmp_path / "file").write_text("old")
    check_output(tmp_path / "file")
    check_output(tmp_path / "new" / "file")
    check_folder(tmp_path / "other" / "new")
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_a_check_that_is_killed_leaves_nothing(tmp_path):
    code = (
        "import os, signal, sys; from uniapl_cli.outputs import check_output\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "check_output(sys.argv[1])"
    )
    result = subprocess.run([sys.executable, "-c", code, tmp_path / "out"], check=False)
    assert (result.returncode, names(tmp_path)) == (-signal.SIGKILL, [])


@pytest.mark.parametrize("path", ["/proc/out.jsonl", "/sys/out.jsonl", "/sys/new/out.jsonl"])
def test_a_file_system_that_takes_no_files_is_refused_also_to_root(path):
    refused(path)


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from uniapl_cli.errors import DataError
from uniapl_cli.outputs import check_output
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in sys.argv[1:]:
    try:
        check_output(path)
    except DataError as error:
        print("refused", Path(error.got).name)
    else:
        print("allowed", Path(path).name)
"""


def test_what_permissions_forbid_is_refused(tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        if not folder.stat().st_mode & stat.S_IXOTH and folder.owner() == tmp_path.owner():
            folder.chmod(folder.stat().st_mode | 0o011)
    (tmp_path / "open").mkdir()
    (tmp_path / "closed").mkdir()
    for path in ("open/read-only", "open/theirs", "closed/theirs"):
        (tmp_path / path).touch()
        (tmp_path / path).chmod(0o444 if path.endswith("only") else 0o666)
    os.mkfifo(tmp_path / "open" / "pipe", 0o444)
    (tmp_path / "open" / "pipe").chmod(0o444)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "closed").chmod(0o555)
    paths = ["open/read-only", "open/theirs", "open/pipe", "closed/theirs", "closed/new"]
    command = [sys.executable, "-c", UNPRIVILEGED, *(str(tmp_path / path) for path in paths)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Permission denied" in result.stderr:
        pytest.skip("another user cannot read the program")
    assert result.stdout.splitlines() == [
        "refused read-only", "allowed theirs", "refused pipe", "refused theirs", "refused new",
    ], result.stderr  # fmt: skip


def test_one_file_is_known_by_whatever_route(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    file = tmp_path / "folder" / "file"
    for _ in range(2):  # before it is there, and then
        one = find_output(file)
        assert one.same(find_output(tmp_path / "link" / "file"))
        assert one.same(find_output(tmp_path / "folder" / ".." / "folder" / "file"))
        assert not one.same(find_output(tmp_path / "folder" / "other"))
        file.touch()
    os.link(file, tmp_path / "hard")
    assert one.same(find_output(tmp_path / "hard"))
    assert not find_output("/dev/null").same(find_output("/dev/null"))  # it takes any number


def test_a_replaced_file_keeps_its_mode_and_a_new_one_has_the_usual(tmp_path):
    (tmp_path / "usual").touch()
    path = tmp_path / "file"
    written(path)
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
    path.chmod(0o640)
    written(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    if ROOT:
        os.chown(path, 65534, 65534)
        written(path)
        assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)


def test_a_second_writer_is_refused_until_the_first_has_ended(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as file:
        file.write("first")
        with pytest.raises(DataError) as caught:
            written(path)
    assert caught.value.got == str(path)
    assert path.read_text() == "first"
    written(path)
    assert (path.read_text(), names(tmp_path)) == ("new", ["file"])


def test_a_writer_may_wait_for_another_to_end(tmp_path):
    path = tmp_path / "rows.jsonl"
    with replacing(path) as file:
        second = threading.Thread(target=write_rows, args=(path, [{"a": 2}]), kwargs={"wait": True})
        second.start()
        second.join(0.2)
        assert second.is_alive()
        file.write("first")
    second.join()
    assert (path.read_text(), names(tmp_path)) == ('{"a": 2}\n', ["rows.jsonl"])


def test_what_a_killed_writer_left_is_swept_up_by_the_next(tmp_path):
    path = tmp_path / "file"
    code = (
        "import sys, os, signal; from uniapl_cli.files import replacing\n"
        "with replacing(sys.argv[1]) as file:\n"
        "    file.write('torn ' * 9999); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert len(names(tmp_path)) == 1 and not path.exists()
    written(path)
    assert (path.read_text(), names(tmp_path)) == ("new", ["file"])


def test_a_disk_that_fills_up_is_an_error_and_leaves_the_old_file(tmp_path):
    """As by `ulimit -f`: the limit stands for any disk."""
    path = tmp_path / "file"
    path.write_text("old")
    code = (
        "import sys, resource; from uniapl_cli.files import replacing\n"
        "from uniapl_cli.errors import DataError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try:\n"
        "    with replacing(sys.argv[1]) as file: file.write('x' * int(sys.argv[2]))\n"
        "except DataError as error: print(error.got)"
    )
    for size in ("6000", "600000"):
        command = [sys.executable, "-c", code, str(path), size]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        assert result.stdout == f"{path}\n"
    assert (path.read_text(), names(tmp_path)) == ("old", ["file"])


def test_a_full_device_is_an_error():
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    refused("/dev/full", written)
