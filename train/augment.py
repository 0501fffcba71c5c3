"""Augment faces by changes that keep their emotion.

Geometry and enlargement are one bilinear sampling, from the 48x48 face to the network's size: faster than a transform
at full size and less blurred than two. Without changes it equals `edge.preprocess.to_input`; a test checks that. It
needs numpy and OpenCV only, so it is the same on every Keras backend, and takes about 70 us a face on one core.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.opencv import cv2
from edge.values import Floats, Image


@dataclass(frozen=True)
class Augmentation:
    """Set the largest changes. Fractions are of the face's side unless noted."""

    flip: float = 0.5  # probability
    rotation_deg: float = 15.0
    shear_deg: float = 5.0
    zoom: float = 0.15
    shift: float = 0.1
    brightness: float = 0.2  # of the full range
    contrast: float = 0.3  # gain 1 +- this
    erasing: float = 0.5  # probability of one erased rectangle
    erasing_area: tuple[float, float] = (0.02, 0.2)  # of the face's area


NONE = Augmentation(0, 0, 0, 0, 0, 0, 0, 0)
MIXUP_ALPHA = 0.2  # of the Beta distribution of mixing shares; the papers' values
CUTMIX_ALPHA = 1.0


def augment(images: Image, size: int, rng: np.random.Generator, augmentation: Augmentation) -> Floats:
    """Enlarge and augment a batch: uint8 [n, h, w] grey -> float32 [n, size, size, 3] RGB, 0..255."""
    grey = np.empty((len(images), size, size), dtype=np.float32)
    for i, image in enumerate(images):
        grey[i] = cv2.warpAffine(
            image,
            _sampling(image.shape[0], size, rng, augmentation),
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    _relight(grey, rng, augmentation)
    _erase(grey, rng, augmentation)
    return np.repeat(grey[..., None], 3, axis=3)


def mix(images: Floats, targets: Floats, rng: np.random.Generator, share: float) -> tuple[Floats, Floats]:
    """Mix the faces of a batch in pairs, with probability `share`; targets [n, classes] are mixed in proportion.

    Half of the mixed batches use MixUp (Zhang et al. 2018: a weighted mean of both faces), half CutMix (Yun et al.
    2019: a rectangle of the other face).
    """
    if rng.random() >= share:
        return images, targets
    n, size = images.shape[:2]
    partner = rng.permutation(n)
    if rng.random() < 0.5:
        own = np.asarray(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA, n), dtype=np.float32)
        weights = own[:, None, None, None]
        images = images * weights + images[partner] * (1 - weights)
    else:
        mixed = images.copy()
        own = np.empty(n, dtype=np.float32)
        for i, cut in enumerate(np.sqrt(1 - rng.beta(CUTMIX_ALPHA, CUTMIX_ALPHA, n))):
            centre = rng.uniform(0, size, 2)
            half = cut * size / 2
            (top, left), (bottom, right) = (
                np.clip(centre + side * half, 0, size).round().astype(int) for side in (-1, 1)
            )
            mixed[i, top:bottom, left:right] = images[partner[i], top:bottom, left:right]
            own[i] = (
                1 - (bottom - top) * (right - left) / size**2
            )  # the visible area: the rectangle may have been clipped
        images = mixed
    return images, targets * own[:, None] + targets[partner] * (1 - own[:, None])


def _sampling(side: int, size: int, rng: np.random.Generator, augmentation: Augmentation) -> npt.NDArray[np.float64]:
    """Return the 2x3 matrix from output pixels to positions in the face; pixel centres are at half integers."""
    flip = -1.0 if rng.random() < augmentation.flip else 1.0
    angle = np.deg2rad(rng.uniform(-augmentation.rotation_deg, augmentation.rotation_deg))
    scale = side / size * (1 + rng.uniform(-augmentation.zoom, augmentation.zoom))
    shift = side * rng.uniform(-augmentation.shift, augmentation.shift, size=2)
    cos = scale * np.cos(angle)
    sin = scale * np.sin(angle)
    slant = np.tan(np.deg2rad(rng.uniform(-augmentation.shear_deg, augmentation.shear_deg)))
    linear = np.array([[flip * cos, -flip * sin], [sin, cos]]) @ [[1, slant], [0, 1]]
    output_centre = (size - 1) / 2
    face_centre = (side - 1) / 2
    offset = face_centre + shift - linear @ (output_centre, output_centre)
    return np.column_stack([linear, offset])


def _relight(grey: Floats, rng: np.random.Generator, augmentation: Augmentation) -> None:
    """Change contrast about each face's mean, then brightness, in place."""
    n = len(grey)
    gain = 1 + rng.uniform(-augmentation.contrast, augmentation.contrast, (n, 1, 1)).astype(np.float32)
    offset = 255 * rng.uniform(-augmentation.brightness, augmentation.brightness, (n, 1, 1)).astype(np.float32)
    mean = grey.mean(axis=(1, 2), keepdims=True)
    grey -= mean
    grey *= gain
    grey += mean + offset
    np.clip(grey, 0, 255, out=grey)


def _erase(grey: Floats, rng: np.random.Generator, augmentation: Augmentation) -> None:
    """Fill one rectangle of a face with noise, in place (random erasing, Zhong et al. 2017)."""
    size = grey.shape[1]
    for image in (grey[i] for i in np.flatnonzero(rng.random(len(grey)) < augmentation.erasing)):
        area = rng.uniform(*augmentation.erasing_area) * size * size
        ratio = np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3)))
        height = min(size, max(1, round(np.sqrt(area * ratio))))
        width = min(size, max(1, round(np.sqrt(area / ratio))))
        top = rng.integers(0, size - height + 1)
        left = rng.integers(0, size - width + 1)
        image[top : top + height, left : left + width] = rng.uniform(0, 255, (height, width))
