"""The epoch logger, the timer and the terminal."""

import io
import os
import time

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from rl.logging import Board, EpochLogger, Terminal, Timer

COLUMNS = {
    "Epoch": "value",
    "EpRet": "episode",
    "TestEpRet": "episode",
    "QVals": "all",
    "LossQ": "mean",
}


def make(path, window=3, **options):
    return EpochLogger(path, COLUMNS, window, **options)


def read(path):
    header, *rows = [line.split("\t") for line in (path / "progress.txt").read_text().splitlines()]
    return [dict(zip(header, row)) for row in rows]


def test_header_is_spinning_ups(tmp_path):
    make(tmp_path).dump(Epoch=1)
    header = (tmp_path / "progress.txt").read_text().splitlines()[0].split("\t")
    assert header[:6] == [
        "Epoch",
        "AverageEpRet",
        "StdEpRet",
        "MaxEpRet",
        "MinEpRet",
        "MovingEpRet",
    ]
    assert header[-5:] == ["AverageQVals", "StdQVals", "MaxQVals", "MinQVals", "LossQ"]


def test_statistics_over_all_elements(tmp_path):
    logger = make(tmp_path)
    logger.store(QVals=np.array([[1.0, 2.0], [3.0, 4.0]]), LossQ=0.5)
    logger.store(QVals=10.0)
    logger.store(LossQ=np.float32(1.5))
    row = logger.dump(Epoch=1)
    values = [1, 2, 3, 4, 10]
    assert row["AverageQVals"] == 4 and row["StdQVals"] == pytest.approx(np.std(values))
    assert (row["MaxQVals"], row["MinQVals"], row["LossQ"]) == (10, 1, 1)


def test_nothing_stored_reads_nan_and_epochs_do_not_mix(tmp_path):
    logger = make(tmp_path)
    logger.store(LossQ=7.0)
    logger.dump(Epoch=1)
    logger.dump(Epoch=2)
    assert [row["LossQ"] for row in read(tmp_path)] == ["7", "nan"]


def test_capacity_doubles(tmp_path):
    logger = make(tmp_path, capacity=2)
    for i in range(1000):
        logger.store(LossQ=i)
    logger.store(QVals=np.arange(5000.0))
    row = logger.dump(Epoch=1)
    assert row["LossQ"] == 499.5 and row["AverageQVals"] == 2499.5
    assert len(logger.values["LossQ"].array) == 1024


def test_moving_average_means_the_same_for_train_and_test(tmp_path):
    """Window of 3 epochs: two training episodes an epoch, ten test episodes, both lag alike."""
    logger = make(tmp_path)
    for epoch in range(5):
        logger.store(EpRet=np.full(2, float(epoch)), TestEpRet=np.full(10, float(epoch)))
        row = logger.dump(Epoch=epoch)
        wanted = np.mean(range(max(0, epoch - 2), epoch + 1))
        assert row["MovingEpRet"] == row["MovingTestEpRet"] == wanted
    logger.dump(Epoch=5)  # no episode ended: the window still moves
    assert logger.row(Epoch=6)["MovingEpRet"] == 4


def test_numbers_as_text(tmp_path):
    logger = make(tmp_path)
    logger.store(LossQ=1 / 3, QVals=12345678.0)
    logger.dump(Epoch=1)
    row = read(tmp_path)[0]
    assert (row["Epoch"], row["LossQ"], row["MaxQVals"]) == ("1", "0.33333333", "12345678")


def test_state_cuts_off_later_rows_and_goes_on(tmp_path):
    logger = make(tmp_path)
    for i in range(3):
        logger.store(EpRet=float(i), QVals=np.arange(3.0))
        logger.dump(Epoch=i)
    logger.store(EpRet=5.0)
    state = logger.state()
    logger.dump(complete=False, Epoch=3)
    before = (tmp_path / "progress.txt").read_bytes()
    with open(tmp_path / "progress.txt", "a", encoding="utf-8") as file:
        file.write("half a ro")
    for again in (make(tmp_path), logger):
        again.load_state(state)
        again.store(EpRet=7.0)
        row = again.dump(Epoch=3)
        rows = read(tmp_path)
        assert len(rows) == 4 and before.startswith((tmp_path / "progress.txt").read_bytes()[:20])
        assert row["AverageEpRet"] == 6 and row["MovingEpRet"] == (1 + 2 + 5 + 7) / 4


def test_tensorboard_has_every_finite_value(tmp_path):
    board = Board(tmp_path)
    assert not (tmp_path / "tb").exists()
    board.write(40, {"Epoch": 1.0, "LossQ": 2.0, "LossPi": float("nan")})
    board.close()
    found = {}
    for name in os.listdir(tmp_path / "tb"):
        data = (tmp_path / "tb" / name).read_bytes()
        while data:  # records: length (8 bytes), checksum (4), data, checksum (4)
            size = int.from_bytes(data[:8], "little")
            event = Event.FromString(data[12 : 12 + size])
            found |= {value.tag: (event.step, value.simple_value) for value in event.summary.value}
            data = data[16 + size :]
    assert found == {"Epoch": (40, 1.0), "LossQ": (40, 2.0)}


def test_timer_adds_up_and_drains():
    timer = Timer("env", "update")
    for _ in range(2):
        with timer("env"):
            time.sleep(0.01)
    row = timer.drain()
    assert 0.02 <= row["TimeEnv"] < 0.2 and row["TimeUpdate"] == 0
    assert timer.drain()["TimeEnv"] == 0


def test_plain_lines_without_a_terminal():
    out = io.StringIO()
    terminal = Terminal("run", 100, 0, ("LossQ", "Missing"), file=out)
    terminal.advance(10)
    terminal.epoch(50, {"LossQ": 0.25})
    terminal.close()
    first, line = out.getvalue().splitlines()
    assert first == "run: 0/100 steps, begun"
    assert line.startswith("run: 50/100 steps") and line.endswith("LossQ 0.25")
    assert "\x1b" not in out.getvalue()


def test_a_row_without_new_steps_has_no_speed():
    """As of a test that a signal cut short."""
    out = io.StringIO()
    Terminal("run", 100, 50, ("LossQ",), file=out).epoch(50, {"LossQ": 0.25})
    assert out.getvalue().splitlines()[-1] == "run: 50/100 steps, LossQ 0.25"


def test_progress_within_an_epoch_without_a_terminal(monkeypatch):
    """A line after 5 seconds, and then one every minute."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    out = io.StringIO()
    terminal = Terminal("run", 1000, 0, (), file=out)
    for now[0] in (104.0, 106.0, 150.0, 167.0):
        terminal.advance(int(now[0]))
    steps = [line.split()[1] for line in out.getvalue().splitlines()]
    assert steps == ["0/1000", "106/1000", "167/1000"]


def on_a_terminal(monkeypatch, **options):
    """What a terminal shows of a row."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    terminal = Terminal("run", 100, 0, ("LossQ",), file=out, **options)
    terminal.epoch(50, {"LossQ": 0.25, "EpLen": 200.0})
    terminal.close()
    return out.getvalue()


def test_a_short_line_on_a_terminal(monkeypatch):
    text = on_a_terminal(monkeypatch)
    assert "LossQ 0.25" in text and "50%" in text and "EpLen" not in text


def test_the_long_table_on_request(monkeypatch):
    text = on_a_terminal(monkeypatch, table=True)
    assert "EpLen" in text and "200" in text and "50%" in text


def test_bar_and_table_on_a_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    terminal = Terminal("run", 100, 0, ("LossQ",), table=True, file=out)
    terminal.advance(10)
    terminal.epoch(50, {"LossQ": 0.25, "EpLen": 200.0})
    terminal.close()
    text = out.getvalue()
    assert "EpLen" in text and "0.25" in text and "steps/s" in text and "50%" in text
