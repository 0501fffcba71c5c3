"""Specify the request to stop a run, and the signals that make it."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from edge import stopping
from edge.stopping import SIGNALS, Stop, handle_signals, stop_on_signals


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_asks_the_run_to_end_and_is_handled_as_before_then(number: signal.Signals) -> None:
    stop = Stop()
    before = signal.getsignal(number)
    with stop_on_signals(stop):
        os.kill(os.getpid(), number)
        assert stop.wait(5)
    assert signal.getsignal(number) == before


def test_a_hang_up_stays_ignored_under_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        previous = handle_signals(lambda *_: None)
        for number, handler in previous.items():
            signal.signal(number, handler)
        assert signal.SIGHUP not in previous
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_grace_begins_with_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "GRACE_S", 0.1)
    stop = Stop()
    assert not stop.wait(0.01)
    assert not stop.grace_is_over()
    threading.Timer(0.02, stop.set).start()
    assert stop.wait(5)
    assert not stop.grace_is_over()
    time.sleep(0.12)
    stop.set()
    assert stop.grace_is_over()
