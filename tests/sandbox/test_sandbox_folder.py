"""The folder of a sandbox goes with its process, whichever way that ends."""

from uniapl_cli.sandbox import folder as module


def test_a_signal_in_the_middle_of_a_removal_removes_it_too(monkeypatch):
    """As in a worker of `filter-gt`, whose parent and a SIGTERM end it at a time."""
    folder, remove = module.Folder(), module._remove
    gone = []

    def interrupted(path):
        monkeypatch.setattr(module, "_remove", remove)
        module.remove_own()  # the signal's handler, behind which the process ends
        gone.append(not path.exists())
        remove(path)

    monkeypatch.setattr(module, "_remove", interrupted)
    folder.remove()
    assert gone == [True]
    folder.remove()  # once more does nothing
