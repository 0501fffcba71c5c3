"""Open the live page in Chromium, as on a phone and on a desktop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="needs the extra serve")

from edge.labels import EMOTIONS
from edge.sinks.serve import Serve
from edge.sources.demo import demo_images
from edge.values import EmotionProbabilities, Reading
from tests import chromium
from tests.edge.samples import OUTAGE, make_context, make_frame, make_lost_frame, make_reading

UNSURE = replace(
    make_reading(), probabilities=EmotionProbabilities(dict.fromkeys(EMOTIONS, 0.1) | {"sad": 0.35}), label="uncertain"
)
PICTURE = next(demo_images(1))


@pytest.fixture
def page() -> Iterator[Serve]:
    """Serve a page on a free port."""
    with Serve("0", make_context()) as sink:
        yield sink


class Feed:
    """Write frames to a page all the time, with the readings that are set."""

    def __init__(self, sink: Serve) -> None:
        self.readings: list[Reading] = []
        self.lost = False
        self._sink = sink
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        index = 0
        while not self._end.wait(0.05):
            frame = make_lost_frame(index) if self.lost else make_frame(index)
            self._sink.write(replace(frame, image=PICTURE, captured_s=time.monotonic()), self.readings)
            index += 1


def wait_for(condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.05)


def test_the_page_shows_faces_doubt_and_outages_and_rests_while_hidden(page: Serve) -> None:
    with Feed(page) as feed, chromium.open_page(f"http://127.0.0.1:{page.port}/") as browser:

        def text() -> str:
            return str(browser.evaluate("document.body.innerText"))

        wait_for(lambda: "No face" in text())
        feed.readings = [make_reading(), replace(UNSURE, id=2)]
        wait_for(lambda: "happy\n70%" in text() and "most likely sad, 35%" in text())
        bar = "document.querySelector('.bar.top .fill').getBoundingClientRect()"
        track = "document.querySelector('.bar.top .track').getBoundingClientRect()"
        wait_for(lambda: browser.evaluate(f"Math.abs(({bar}.right - {track}.left) / {track}.width - 0.7) < 0.02"))
        assert browser.evaluate("document.getElementById('picture').naturalWidth") == PICTURE.shape[1]
        for width, height in ((360, 780), (1280, 800)):
            browser.resize(width, height)
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
            assert browser.evaluate("document.getElementById('view').getBoundingClientRect().height") > 200
        feed.lost = True
        wait_for(lambda: OUTAGE.capitalize() in text())
        browser.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        wait_for(lambda: page._hub.viewers == {"stream": 0, "events": 0})
        browser.evaluate("Object.defineProperty(document, 'hidden', {value: false})")
        browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        wait_for(lambda: page._hub.viewers == {"stream": 1, "events": 1})
        assert browser.console == []
