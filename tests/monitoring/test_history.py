from uniapl_cli.monitoring.history import FIRST, KEPT, History


def test_history_looks_back():
    history = History()
    for value in range(FIRST - 1):
        history.add({"x": float(value)})
    assert history.start("x") is None and history.usual("x", 1, 20) is None
    for value in range(FIRST - 1, 2 * KEPT):
        history.add({"x": float(value)})
    assert history.start("x") == (FIRST - 1) / 2 and history.first("x") == 0
    assert history.newest("x", 2) == [98.0, 99.0]
    assert len(history.newest("x", 1000)) == KEPT
    assert history.usual("x", 3, 11) == 91.0
    assert history.newest("y", 3) == [] and history.start("y") is None
    assert history.first("y") is None
    assert history.above("x", 97.9, 2) and not history.above("x", 98.0, 2)
    assert history.below("x", 99.1, 2) and not history.below("x", 99.0, 2)
    assert not history.above("y", -1.0, 1)
