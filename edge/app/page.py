"""Build the app's page with Gradio: inputs on the left, what was read on the right; one below the other on a phone."""

# Annotations are values here, not text: by them, Gradio sees that a handler wants the request.

import base64
import binascii
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.app.sessions import NOTHING, Answer, Session, Sessions
from edge.values import Reading

if TYPE_CHECKING:
    from gradio import Blocks

PORTRAIT = Path(__file__).parents[1] / "assets" / "astronaut.jpg"
FRAME_S = 0.1  # from one frame to the next, at least; where reading takes longer, frames in between are dropped
STREAM_S = 300  # of computing, after which a camera is stopped: others may be waiting
STREAMS = 4  # cameras that are read at the same time
READERS = 2  # pictures, likewise
MAX_WAITING = 16  # requests; further ones are refused
FILES_S = 600  # for which Gradio keeps a picture that was sent
DESCRIPTION = """# Emotions
The expression of each face, read on the computer that serves this page. It is an expression, not what somebody feels:
decide nothing about a person with it."""
Handlers = dict[str, Callable[..., Any]]


def open_page(sessions: Sessions) -> "Blocks":
    """Return the page; the visitors' pictures are read by their sessions."""
    import gradio as gr

    look = {"height": 400, "buttons": ["download", "fullscreen"]}  # the third one would share with Hugging Face
    with gr.Blocks(title="Emotions", analytics_enabled=False, delete_cache=(FILES_S, FILES_S)) as page:
        gr.Markdown(DESCRIPTION)
        with gr.Row():
            with gr.Column():
                with gr.Tab("Picture"):
                    picture = gr.Image(label="Picture", sources=["upload", "webcam", "clipboard"], **look)
                with gr.Tab("Camera"):
                    camera = gr.Image(label="Camera", sources=["webcam"], streaming=True, **look)
            with gr.Column():
                text = gr.Textbox(label="Faces", interactive=False, elem_id="text")
                shown = gr.Image(label="Reading", interactive=False, elem_id="shown", **look)
                face = gr.Radio([], label="Probabilities of face", visible=False, elem_id="face")
                scores = gr.Label(label="Probabilities", elem_id="scores")
                with gr.Row():
                    neutral = gr.Button("This is my neutral face", elem_id="neutral")
                    forget = gr.Button("Forget me", elem_id="forget")
        gr.Examples([[str(PORTRAIT)]], picture, label="No picture at hand?", preload=False)
        # Gradio's own conversions decode pictures with Pillow, write answers to files, and do not know `uncertain`.
        picture.preprocess = camera.preprocess = sent_bytes
        shown.postprocess = image_of
        scores.postprocess = scores_of
        outputs = [text, shown, face, scores]
        handle = _handlers(sessions)
        private = {"api_visibility": "private", "show_progress": "hidden"}
        picture.change(handle["read"], picture, outputs, concurrency_id="read", concurrency_limit=READERS, **private)
        limits = {"stream_every": FRAME_S, "time_limit": STREAM_S, "concurrency_limit": STREAMS}
        camera.stream(handle["follow"], camera, outputs, concurrency_id="follow", **limits, **private)
        face.input(handle["choose"], face, scores, **private)
        neutral.click(handle["calibrate"], None, text, **private)
        forget.click(handle["forget"], None, [picture, *outputs], **private)
        page.unload(handle["end"])
    return page.queue(max_size=MAX_WAITING)


def plain_theme() -> Any:
    """Return Gradio's theme with the fonts of the visitor's system, not Google's."""
    import gradio as gr

    return gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])


def _handlers(sessions: Sessions) -> Handlers:
    """Return the functions that answer the page's events."""
    import gradio as gr

    def session_of(request: gr.Request) -> Session:
        return sessions.get(str(request.session_hash))

    def outputs(session: Session, answer: Answer) -> list[Any]:
        reading, ids = session.chosen_reading(), [reading.id for reading in answer.readings]
        faces: Any = gr.skip()
        if ids != session.listed:  # else the choice would flicker with each frame
            session.listed = ids
            faces = gr.Radio([(str(id_), id_) for id_ in ids], value=reading and reading.id, visible=len(ids) > 1)
        return [answer.text, answer.jpeg, faces, reading]

    def read(data: bytes | None, request: gr.Request) -> list[Any]:
        session = session_of(request)
        return outputs(session, session.read(data) if data else session.clear())

    def follow(data: bytes | None, request: gr.Request) -> list[Any]:
        session = session_of(request)
        return outputs(session, session.follow(data) if data else session.clear())

    def choose(id_: int | None, request: gr.Request) -> Reading | None:
        session = session_of(request)
        session.chosen = id_
        return session.chosen_reading()

    def calibrate(request: gr.Request) -> str:
        return session_of(request).calibrate()

    def forget(request: gr.Request) -> list[Any]:
        end(request)
        return [None, *outputs(session_of(request), NOTHING)]

    def end(request: gr.Request) -> None:
        sessions.end(str(request.session_hash))

    handlers = (read, follow, choose, calibrate, forget, end)
    return {handler.__name__: handler for handler in handlers}


def sent_bytes(payload: Any) -> bytes | None:
    """Return what a visitor sent: a camera's frame is in a data URL, a picture in a file that Gradio has stored."""
    if payload is None:
        return None
    head, _, data = (payload.url or "").partition(";base64,")
    if head.startswith("data:"):
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error:
            return data.encode()  # no picture; the reader says so
    return Path(payload.path).read_bytes() if payload.path else None


def image_of(jpeg: bytes | None) -> dict[str, str] | None:
    """Return a picture as Gradio's page shows it, without a file."""
    return {"url": f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"} if jpeg else None


def scores_of(reading: Reading | None) -> dict[str, Any]:
    """Return a face's emotion, which may be `uncertain`, and its probabilities, the highest first."""
    if reading is None:
        return {}
    ranked = sorted(reading.probabilities.items(), key=lambda item: -item[1])
    return {"label": reading.emotion, "confidences": [{"label": name, "confidence": value} for name, value in ranked]}
