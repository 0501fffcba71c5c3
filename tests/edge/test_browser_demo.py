"""Run the browser demo in Chromium, and compare what it reads with Python, pixel by pixel."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.backend import SHIPPED, open_backend
from edge.browser import files, third_party
from edge.browser.command import main
from edge.browser.files import policy, site_files
from edge.classifier import Classifier
from edge.detectors.base import shrink
from edge.detectors.blazeface import BlazeFace
from edge.errors import OutputError, UsageError
from edge.labels import EMOTIONS
from edge.model_file import read_model_file
from edge.neutral import NeutralProfile
from edge.opencv import cv2
from edge.preprocess import LARGE_FACE_RATIO, crop, to_input
from edge.smoother import Smoother
from edge.sources.demo import demo_images
from edge.values import Image
from tests import chromium
from tests.conftest import ROOT, SHARED

FACES = 32
ALPHA = "document.getElementById('picture').getContext('2d').getImageData(5, 5, 1, 1).data[3]"
DETECTOR = third_party.FILES["detector"]
RUNTIME = {  # files of npm's packages
    "core": "dist/index.js",
    "utilities": "dist/index.js",
    "loader": "wasm/litert_wasm_compat_internal.js",
    "wasm": "wasm/litert_wasm_compat_internal.wasm",
}
READ = """
(async () => {
  const { loadReader } = await import('./loader.js');
  const { crop, fromImageData, toInput } = await import('./pixels.js');
  globalThis.reader ??= await loadReader();
  const { classifier, detector } = reader;
  const pen = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const text = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  const answers = [];
  for (const [name, box] of BOXES) {
    const picture = await createImageBitmap(await (await fetch(name)).blob());
    Object.assign(pen.canvas, { width: picture.width, height: picture.height });
    pen.drawImage(picture, 0, 0);
    const image = fromImageData(pen.getImageData(0, 0, picture.width, picture.height));
    const faces = await detector.detect(image);
    const inputs = [false, true].map((way) => text(toInput(crop(image, box, MARGIN), classifier.card, way)));
    answers.push({ inputs, probabilities: await classifier.readBothWays(image, box), faces });
  }
  return answers;
})()
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Fill a cache with the third parties' files: from npm's registry, ../shared or their homes. Skip without them."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        model = SHARED / "models" / DETECTOR.name
        DETECTOR.path.parent.mkdir()
        if model.exists():
            shutil.copy(model, DETECTOR.path)
        if shutil.which("npm"):
            unpack_runtime(folder)
        try:
            for file in third_party.FILES.values():
                file.fetch()
        except OutputError as error:
            pytest.skip(f"needs the files of LiteRT.js and BlazeFace: {error}")
        yield folder


def unpack_runtime(folder: Path) -> None:
    """Put LiteRT.js' files into the cache, as npm's registry has them."""
    for key, inside in RUNTIME.items():
        file = third_party.FILES[key]
        package = "wasm-utils" if key == "utilities" else "core"
        archive = folder / f"litertjs-{package}-{third_party.VERSION}.tgz"
        if not archive.exists():
            command = ["npm", "pack", "--silent", f"@litertjs/{package}@{third_party.VERSION}"]
            subprocess.run(command, cwd=folder, timeout=60, check=False, capture_output=True)
        if archive.exists():
            with tarfile.open(archive) as content:
                file.path.write_bytes(content.extractfile(f"package/{inside}").read())  # type: ignore[union-attr]


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve a folder without a log."""

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@pytest.fixture(scope="module")
def site(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Serve the offline site from a folder; return that and its address."""
    folder = tmp_path_factory.mktemp("site") / "site"
    assert main([str(folder), "--offline"]) == 0
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Page]:
    """Start Chromium with a camera that sees the demo."""
    clip = tmp_path_factory.mktemp("camera") / "demo.mjpeg"
    with clip.open("wb") as file:
        for image in demo_images(2):
            file.write(cv2.imencode(".jpg", image)[1].tobytes())
    with chromium.open_page(arguments=[f"--use-file-for-fake-video-capture={clip}"]) as page:
        yield page


def open_site(browser: chromium.Page, url: str) -> None:
    browser.console.clear()
    browser.command("Page.navigate", url=url)
    wait_for(browser, "document.readyState === 'complete' && document.getElementById('files')?.children.length === 3")


def wait_for(browser: chromium.Page, condition: str, timeout_s: float = 60.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not browser.evaluate(f"Boolean({condition})"):
        assert time.monotonic() < end_s, f"not in time: {condition}: {browser.evaluate('document.body.innerText')}"
        time.sleep(0.1)


def complaints(browser: chromium.Page) -> list[str]:
    """Return what the page logged, apart from LiteRT.js' search for a GPU, which is not used."""
    return [text for text in map(json.dumps, browser.console) if "adapter" not in text]


def pictures() -> Iterator[Image]:
    """Yield photographs with faces from ../shared or, without it, views of the demo's portrait."""
    for path in sorted((SHARED / "media" / "faces").glob("*")):
        image = cv2.imread(str(path))
        if image is not None:
            yield shrink(image, 800)[0]
    portrait = cv2.imread(str(ROOT / "edge" / "assets" / "astronaut.jpg"))
    for i in range(FACES):
        cut = portrait[4 * i : 300 + 2 * i, 3 * i :]
        yield cv2.resize(cut, None, fx=0.4 + i / 12, fy=0.4 + i / 12, interpolation=cv2.INTER_AREA)


@pytest.mark.slow
def test_chromium_reads_what_python_reads(site: tuple[Path, str], browser: chromium.Page) -> None:
    folder, url = site
    detector = BlazeFace(DETECTOR.path)
    classifier = Classifier(open_backend(SHIPPED))
    images, boxes, found = [], [], []
    for image in pictures():
        faces = detector.detect(image)
        if faces and len(images) < FACES:
            name = f"{len(images)}.png"
            cv2.imwrite(str(folder / name), image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
            images.append(image)
            found.append(faces)
            boxes.append((name, vars(faces[0].box)))
    assert len(images) == FACES
    sides = [faces[0].box.width for faces in found]
    assert min(sides) < 2 * classifier.card.face_size
    assert max(sides) > LARGE_FACE_RATIO * classifier.card.face_size
    open_site(browser, url)
    script = READ.replace("BOXES", json.dumps(boxes)).replace("MARGIN", str(classifier.card.crop_margin))
    answers = browser.evaluate(script)
    for image, faces, answer in zip(images, found, answers, strict=True):
        box = faces[0].box
        pixels = to_input(crop(image, box, classifier.card.crop_margin), classifier.card.input_size)
        for ours, theirs in zip((pixels, pixels[:, ::-1]), answer["inputs"], strict=True):
            assert ours.tobytes() == base64.b64decode(theirs)
        assert np.array_equal(np.float32(answer["probabilities"]), classifier.read_both_ways(image, box))
        assert len(answer["faces"]) == len(faces)
        for ours_, theirs_ in zip(faces, answer["faces"], strict=True):
            allowed = 1 + 0.02 * ours_.box.width  # pixels: the two sample the picture differently
            differences = [abs(value - theirs_["box"][key]) for key, value in vars(ours_.box).items()]
            assert max(differences) <= allowed


@pytest.mark.slow
def test_smoothing_and_neutral_faces_are_those_of_python(site: tuple[Path, str], browser: chromium.Page) -> None:
    rng = np.random.default_rng(0)
    outputs = rng.dirichlet(np.full(len(EMOTIONS), 0.4), 60).astype(np.float32)
    outputs[:20] = np.sort(outputs[:20], axis=1)  # one emotion for a while
    times = np.cumsum(rng.uniform(0, 0.3, 60))
    times[30:33] = times[30]  # a browser's clock may be coarse
    times[40:] -= 5  # another video
    open_site(browser, site[1])
    answer: dict[str, Any] = browser.evaluate(
        f"""Promise.all([import('./smoother.js'), import('./neutral.js')]).then(([{{ Smoother }}, neutral]) => {{
          const [labels, outputs, times] = {json.dumps([EMOTIONS, outputs.tolist(), times.tolist()])};
          const smoother = new Smoother(labels), profile = neutral.profileOf(outputs.slice(0, 9));
          return {{ smooth: outputs.map((output, i) => smoother.update(1, times[i], output)),
                   corrected: outputs.map((output) => neutral.correct(output, profile, labels)) }};
        }})"""
    )
    smoother = Smoother(EMOTIONS)
    profile = NeutralProfile.from_outputs(EMOTIONS, list(outputs[:9]))
    labels = set()
    for time_s, output, smooth, corrected in zip(times, outputs, answer["smooth"], answer["corrected"], strict=True):
        mean, label = smoother.update(1, float(time_s), output)
        labels.add(label)
        assert smooth["label"] == label
        assert np.abs(mean - smooth["mean"]).max() < 1e-5
        assert np.abs(profile.apply(output) - corrected).max() < 1e-5
    assert len(labels) > 3


@pytest.mark.slow
def test_the_camera_is_read_on_the_served_page_and_nothing_leaves_it(cache: Path, browser: chromium.Page) -> None:
    pytest.importorskip("uvicorn", reason="needs the extra serve")
    from edge.sinks.serve import Serve
    from tests.edge.samples import make_context

    with Serve("0", make_context()) as sink:
        url = f"http://127.0.0.1:{sink.port}/demo"  # redirects
        open_site(browser, url)
        assert browser.evaluate("performance.getEntriesByType('resource').every(({name}) => !/wasm|tflite/.test(name))")
        browser.evaluate("document.getElementById('start').click()")
        wait_for(browser, "document.querySelector('.face .word')?.textContent === 'happy'")
        assert browser.evaluate("document.getElementById('video').videoWidth") == 640
        browser.evaluate("document.getElementById('neutral').click()")
        wait_for(browser, "!document.getElementById('countdown').hidden")
        wait_for(browser, "document.querySelector('.face .note').textContent.includes('its own neutral face')")
        for width, height in ((360, 780), (1280, 800)):
            browser.resize(width, height)
            assert browser.evaluate("document.documentElement.scrollWidth") <= width
        browser.evaluate("document.getElementById('stop').click()")
        wait_for(browser, "!document.getElementById('video').srcObject && !document.querySelector('.face')")
        names = browser.evaluate("performance.getEntriesByType('resource').map(({name}) => name)")
    assert any(name.endswith(".wasm") for name in names)
    assert all(name.startswith(("data:", "blob:", f"{url}/")) for name in names)
    assert complaints(browser) == []


@pytest.mark.slow
def test_a_picture_is_read_and_other_files_are_refused(
    site: tuple[Path, str], browser: chromium.Page, tmp_path: Path
) -> None:
    open_site(browser, site[1])
    root = browser.command("DOM.getDocument")["root"]["nodeId"]
    field = browser.command("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    for name, background in (("solid.png", 255), ("clear.png", 0)):
        picture = np.full((480, 640, 4), background, np.uint8)
        picture[..., :3] = 255
        assert cv2.imwrite(str(tmp_path / name), picture)
        browser.command("DOM.setFileInputFiles", nodeId=field, files=[str(tmp_path / name)])
        wait_for(browser, f"document.getElementById('status').textContent === 'Picture' && ({ALPHA}) === {background}")
    for file, condition in (
        ("README.md", "document.getElementById('alert').textContent.includes('found README.md')"),
        ("edge/assets/astronaut.jpg", "document.querySelector('.face .word')?.textContent === 'happy'"),
    ):
        browser.command("DOM.setFileInputFiles", nodeId=field, files=[str(ROOT / file)])
        wait_for(browser, condition)


@pytest.mark.slow
def test_a_camera_that_does_not_open_says_why_and_one_that_is_late_is_closed(
    site: tuple[Path, str], browser: chromium.Page
) -> None:
    open_site(browser, site[1])
    browser.evaluate("document.getElementById('start').click()")
    wait_for(browser, "document.querySelector('.face')")
    start = "document.getElementById('start').click(); "
    browser.evaluate(
        """{ const devices = navigator.mediaDevices, open = devices.getUserMedia.bind(devices);
        globalThis.late = [];
        devices.getUserMedia = async (wish) => {
          const stream = await open(wish);
          late.push(stream.getTracks()[0]);
          await new Promise((done) => setTimeout(done, 300));
          return stream;
        }; }"""
    )
    browser.evaluate("document.getElementById('stop').click()")
    browser.evaluate(f"{start}setTimeout(() => {{ {start} }}, 200)")
    wait_for(browser, "late.length === 2 && document.querySelector('.face')")
    assert browser.evaluate("late.map(({ readyState }) => readyState)") == ["ended", "live"]
    browser.evaluate("document.getElementById('stop').click()")
    browser.evaluate(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    browser.evaluate(start)
    wait_for(browser, "document.getElementById('alert').textContent.startsWith('The camera is not allowed here.')")
    assert browser.evaluate("document.getElementById('hint').textContent") == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["emotion.tflite", f"vendor/{third_party.FILES['loader'].name}"])
def test_a_changed_file_is_refused(site: tuple[Path, str], browser: chromium.Page, name: str) -> None:
    folder, url = site
    content = (folder / name).read_bytes()
    try:
        (folder / name).write_bytes(content + b"\n")
        open_site(browser, url)
        browser.command("Network.enable")
        browser.command("Network.setCacheDisabled", cacheDisabled=True)
        browser.evaluate("document.getElementById('start').click()")
        wait_for(browser, "document.getElementById('alert').textContent.includes('not the expected file')")
    finally:
        (folder / name).write_bytes(content)


@pytest.mark.slow
def test_a_camera_that_is_stopped_while_cameras_are_listed_leaves_no_complaint(
    site: tuple[Path, str], browser: chromium.Page
) -> None:
    open_site(browser, site[1])
    browser.evaluate(
        """{ const devices = navigator.mediaDevices, list = devices.enumerateDevices.bind(devices);
        devices.enumerateDevices = async () => {
          document.getElementById('stop').click();
          await new Promise((done) => setTimeout(done, 100));
          globalThis.listed = true;
          return list();
        }; }"""
    )
    browser.evaluate("document.getElementById('start').click()")
    wait_for(browser, "globalThis.listed")
    browser.evaluate("new Promise((done) => setTimeout(done, 100))")
    assert browser.evaluate("document.getElementById('status').textContent") == "Ready"
    assert browser.evaluate("document.getElementById('alert').hidden")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"colour": "rgb"}, "colour grey for browsers, found rgb"),
        ({"outputs": "logits"}, "outputs probabilities for browsers, found logits"),
        ({"input_scale": "-1..1"}, "input_scale 0..255 for browsers, found -1..1"),
        ({"input_type": "float32"}, "input_type uint8 for browsers, found float32"),
    ],
)
def test_a_model_that_the_page_would_misread_is_refused(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], found: str
) -> None:
    file = read_model_file(SHIPPED)
    changed = replace(file, card=replace(file.card, **values))
    monkeypatch.setattr(files, "read_model_file", lambda _: changed)
    with pytest.raises(UsageError, match=found):
        site_files()


def test_the_policy_names_the_homes_of_the_files_and_no_other_host() -> None:
    page = site_files()["index.html"]
    assert isinstance(page, bytes)
    assert policy(offline=False) in page.decode()
    hosts = "https://cdn.jsdelivr.net https://storage.googleapis.com"
    assert f"connect-src 'self' {hosts};" in policy(offline=False)
    assert "http" not in policy(offline=True)
    assert "unsafe-inline" not in policy(offline=False)


def test_every_script_and_style_is_part_of_the_site() -> None:
    files = site_files()
    contents = {name: value.read_bytes() if isinstance(value, Path) else value for name, value in files.items()}
    texts = {name: contents[name].decode() for name in files if name.endswith((".js", ".html", ".css"))}
    for name, text in texts.items():
        for part in text.split("from './")[1:]:
            assert part.split("'")[0] in files, name
        assert "http://" not in text.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    ("prepare", "arguments", "message"),
    [
        (lambda path: path.write_text("mine"), [], "expected a folder, found the file"),
        (lambda path: (path.mkdir(), (path / "thesis.txt").write_text("mine")), [], "found other files"),
        (lambda path: None, ["--model", "model.onnx"], "expected a .tflite file"),
        (lambda path: None, ["--model", "none.tflite"], "no model at none.tflite"),
    ],
)
def test_the_command_refuses_what_it_would_spoil(
    prepare: Any, arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "site"
    prepare(folder)
    assert main([str(folder), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "index.html").exists()


def test_a_download_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    page = tmp_path / "changed.js"
    page.write_text("alert()")
    file = third_party.ThirdParty("x.js", "Runtime", page.as_uri(), "00" * 32, 7)
    with pytest.raises(OutputError, match="found another; download it elsewhere and save it as"):
        file.fetch()
    with pytest.raises(OutputError, match=r"cannot download file:.*missing\.js"):
        third_party.ThirdParty("x.js", "Runtime", (tmp_path / "missing.js").as_uri(), "00" * 32, 7).fetch()
    assert not (tmp_path / "cache").exists()
