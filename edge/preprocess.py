"""From a picture to the network's input: the only copy of this code in the project.

Training, export, benchmarks and the device all come through `to_input`, so what the network sees on a device is what it
saw in training. FER-2013's faces are 48x48 grey pixels; a camera's face may be 300 pixels wide and sharp. Enlarging it
straight to the network's input would show the network a sharpness that it never met, so every face goes down to the
resolution of the training faces first (`face_size`), and up from there.
"""

from __future__ import annotations

import numpy as np

from edge.opencv import cv2
from edge.values import Box, Image

# Faces so many times as large as the training faces are first sampled, bilinear, to twice their size. Measured on 173
# faces of photographs and clips: grey levels off the true mean over each pixel by 0.7, by halving by 2.5; a third
# of the time is saved, since not every pixel has to come from memory.
LARGE = 5


def crop(image: Image, box: Box, margin: float = 0.0) -> Image:
    """Cut the square around a face.

    `image` is [height, width] grey or [height, width, 3] BGR, uint8. The square has the box's centre and its longer
    side, enlarged by `margin` (a fraction of that side) in all directions. Where it leaves the picture, the border
    pixels are repeated: FER-2013's own crops never show a hard black edge.
    """
    side = max(1, round(max(box.width, box.height) * (1 + 2 * margin)))
    centre_x, centre_y = box.centre
    left, top = round(centre_x - side / 2), round(centre_y - side / 2)
    height, width = image.shape[:2]
    if left >= 0 and top >= 0 and left + side <= width and top + side <= height:
        return image[top : top + side, left : left + side]
    rows, above, below = _inside(top, side, height)
    columns, before, behind = _inside(left, side, width)
    return cv2.copyMakeBorder(image[rows, columns], above, below, before, behind, cv2.BORDER_REPLICATE)


def _inside(start: int, length: int, limit: int) -> tuple[slice, int, int]:
    """The part of a stretch that lies within 0 and `limit`, at least one pixel, and what is lacking on either side."""
    first = min(max(start, 0), limit - 1)
    last = max(min(start + length, limit), first + 1)
    lacking = min(max(first - start, 0), length - 1)
    return slice(first, last), lacking, length - (last - first) - lacking


def shrunk(image: Image, centre: tuple[float, float], width: float, size: int) -> Image:
    """The square `width` pixels wide around a point, sampled to grey [size, size]: quick, and coarse, to compare by.

    Beyond the picture its border pixels are repeated.
    """
    scale = size / width
    place = np.array([[scale, 0, size / 2 - scale * centre[0]], [0, scale, size / 2 - scale * centre[1]]])
    part = cv2.warpAffine(image, place, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return to_grey(part)


def to_grey(image: Image) -> Image:
    """[height, width] grey of a grey or [height, width, 3] BGR picture."""
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image


def to_face(grey: Image, face_size: int) -> Image:
    """Bring a grey face [height, width] to the training faces' resolution; a FER-2013 picture passes untouched."""
    if grey.shape == (face_size, face_size):
        return grey
    while min(grey.shape) >= 2 * face_size:  # halved until less than a factor of 2 is left: that skips no pixel
        height, width = grey.shape[0] // 2, grey.shape[1] // 2
        grey = cv2.resize(grey[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return cv2.resize(grey, (face_size, face_size), interpolation=cv2.INTER_LINEAR)


def to_input(face: Image, size: int, face_size: int = 48) -> Image:
    """Turn a face into the network's input, uint8 [size, size, 3], RGB with three equal channels, 0..255.

    `face` is [height, width] grey or [height, width, 3] BGR, uint8; `face_size` is the resolution of the training
    faces in pixels.
    """
    if min(face.shape[:2]) >= LARGE * face_size:
        face = cv2.resize(face, (2 * face_size, 2 * face_size), interpolation=cv2.INTER_LINEAR)
    grey = to_face(to_grey(face), face_size)
    if size != face_size:
        grey = cv2.resize(grey, (size, size), interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
