"""Augmentation: what may change about a face without changing its emotion.

Geometry and enlargement are one bilinear sampling, from the 48x48 face straight to the network's size: cheaper than a
transform at full size and less blurred than two. With nothing to change it equals `edge.preprocess.to_input`, and a
test holds it to that. numpy and OpenCV alone, so it is the same on every Keras backend; about 70 us a face on one core.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.opencv import cv2
from edge.values import Floats, Image


@dataclass(frozen=True)
class Augmentation:
    """How far each change may go. Fractions are of the face's side."""

    flip: float = 0.5  # probability
    rotation_deg: float = 15.0
    shear_deg: float = 5.0
    zoom: float = 0.15
    shift: float = 0.1
    brightness: float = 0.2  # of the full range
    contrast: float = 0.3  # gain 1 +- this
    erasing: float = 0.5  # probability of one erased rectangle
    erasing_area: tuple[float, float] = (0.02, 0.2)


NONE = Augmentation(0, 0, 0, 0, 0, 0, 0, 0)
MIXUP_ALPHA, CUTMIX_ALPHA = 0.2, 1.0  # of the Beta distributions that the shares come from; the papers' values


def augment(images: Image, size: int, rng: np.random.Generator, limits: Augmentation) -> Floats:
    """Enlarge and change a batch: uint8 [n, h, w] grey -> float32 [n, size, size, 3] RGB, 0..255."""
    grey = np.empty((len(images), size, size), dtype=np.float32)
    for i, image in enumerate(images):
        grey[i] = cv2.warpAffine(
            image,
            _sampling(image.shape[0], size, rng, limits),
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    _relight(grey, rng, limits)
    _erase(grey, rng, limits)
    return np.repeat(grey[..., None], 3, axis=3)


def mix(images: Floats, targets: Floats, rng: np.random.Generator, share: float) -> tuple[Floats, Floats]:
    """Mix that share of the batches face by face with the same batch in another order; targets [n, 7] in proportion.

    Half of them by MixUp (Zhang et al. 2018: both faces shine through), half by CutMix (Yun et al. 2019: a rectangle
    of the other face).
    """
    if rng.random() >= share:
        return images, targets
    n, size = images.shape[:2]
    partner = rng.permutation(n)
    if rng.random() < 0.5:
        own = np.asarray(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA, n), dtype=np.float32)
        images = images * own[:, None, None, None] + images[partner] * (1 - own[:, None, None, None])
    else:
        mixed, own = images.copy(), np.empty(n, dtype=np.float32)
        for i, cut in enumerate(np.sqrt(1 - rng.beta(CUTMIX_ALPHA, CUTMIX_ALPHA, n))):
            centre, half = rng.uniform(0, size, 2), cut * size / 2
            (top, left), (bottom, right) = (
                np.clip(centre + side * half, 0, size).round().astype(int) for side in (-1, 1)
            )
            mixed[i, top:bottom, left:right] = images[partner[i], top:bottom, left:right]
            own[i] = 1 - (bottom - top) * (right - left) / size**2  # what is left, not what was drawn
        images = mixed
    return images, targets * own[:, None] + targets[partner] * (1 - own[:, None])


def _sampling(side: int, size: int, rng: np.random.Generator, limits: Augmentation) -> npt.NDArray[np.float64]:
    """The 2x3 matrix that tells where in the face each output pixel is read; pixel centres at half integers."""
    flip = -1.0 if rng.random() < limits.flip else 1.0
    angle = np.deg2rad(rng.uniform(-limits.rotation_deg, limits.rotation_deg))
    scale = side / size * (1 + rng.uniform(-limits.zoom, limits.zoom))
    shift = side * rng.uniform(-limits.shift, limits.shift, size=2)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    slant = np.tan(np.deg2rad(rng.uniform(-limits.shear_deg, limits.shear_deg)))
    linear = np.array([[flip * cos, -flip * sin], [sin, cos]]) @ [[1, slant], [0, 1]]
    centre_out, centre_in = (size - 1) / 2, (side - 1) / 2
    offset = centre_in + shift - linear @ (centre_out, centre_out)
    return np.column_stack([linear, offset])


def _relight(grey: Floats, rng: np.random.Generator, limits: Augmentation) -> None:
    """Change contrast about each face's own mean, then brightness; in place."""
    n = len(grey)
    gain = 1 + rng.uniform(-limits.contrast, limits.contrast, (n, 1, 1)).astype(np.float32)
    offset = 255 * rng.uniform(-limits.brightness, limits.brightness, (n, 1, 1)).astype(np.float32)
    mean = grey.mean(axis=(1, 2), keepdims=True)
    grey -= mean
    grey *= gain
    grey += mean + offset
    np.clip(grey, 0, 255, out=grey)


def _erase(grey: Floats, rng: np.random.Generator, limits: Augmentation) -> None:
    """Random erasing (Zhong et al. 2017): fill one rectangle of a face with noise; in place."""
    size = grey.shape[1]
    for image in (grey[i] for i in np.flatnonzero(rng.random(len(grey)) < limits.erasing)):
        area = rng.uniform(*limits.erasing_area) * size * size
        ratio = np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3)))
        height = min(size, max(1, round(np.sqrt(area * ratio))))
        width = min(size, max(1, round(np.sqrt(area / ratio))))
        top, left = rng.integers(0, size - height + 1), rng.integers(0, size - width + 1)
        image[top : top + height, left : left + width] = rng.uniform(0, 255, (height, width))
