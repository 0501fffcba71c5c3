"""Decide where the tag and the bars of each face go: over no face, over no other tag, inside the picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

Size: TypeAlias = tuple[int, int]  # width, height in pixels
Area: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom in pixels
Place: TypeAlias = tuple[int, int, int]  # index of a size, left, top

INSIDE_SHARE = 0.15  # of a face's box that its tag may cover where there is no other place

FEW = 12  # areas


class Wanted(NamedTuple):
    """Describe what a face would like to have: sizes of tags and of panels with bars, the best first."""

    box: Area
    tags: Sequence[Size]
    bars: Sequence[Size]


class Placed(NamedTuple):
    """Locate what fits; None is for what does not."""

    tag: Place | None
    bars: Place | None


def arrange(size: Size, faces: Sequence[Wanted], taken: Iterable[Area] = ()) -> list[Placed]:
    """Return the places of the tags and bars of all faces in a picture of this size.

    Tags come first, those of large faces before others; then bars, where there is room. `taken` stays free as well.
    """
    layout = Layout(size, [*taken, *(face.box for face in faces)])
    order = sorted(range(len(faces)), key=lambda i: faces[i].box[0] - faces[i].box[2])  # by width
    tags = {i: layout.place_tag(faces[i].box, faces[i].tags) for i in order}
    bars = {i: layout.place_bars(faces[i].box, faces[i].bars) for i in order}
    return [Placed(tags[i], bars[i]) for i in range(len(faces))]


def free_corner(size: Size, note: Size, faces: Sequence[Area]) -> tuple[int, int]:
    """Return the left and top of a note in the first corner without a face, else in the top left one."""
    width, height = note
    right, bottom = max(0, size[0] - width), max(0, size[1] - height)
    for x, y in ((0, 0), (right, 0), (0, bottom), (right, bottom)):
        if not any(x < x2 and x1 < x + width and y < y2 and y1 < y + height for x1, y1, x2, y2 in faces):
            return x, y
    return 0, 0


class Layout:
    """Place things in a picture, one after the other; each takes its area."""

    def __init__(self, size: Size, taken: Iterable[Area]) -> None:
        self._width, self._height = size
        self._taken = list(taken)

    def place_tag(self, box: Area, sizes: Sequence[Size]) -> Place | None:
        """Place a tag around a face's box or, if the face fills the picture, at the bottom of the box."""
        near = self._near(box, sizes)
        place = self._first_free(_around(box, sizes, self._width), sizes, near)
        if place is None:
            others = [area for area in near if area != box]
            place = self._first_free(_inside(box, sizes, self._height), sizes, others)
        return place

    def place_bars(self, box: Area, sizes: Sequence[Size]) -> Place | None:
        """Place a panel beside a face's box; in a tall picture, rather below it."""
        if not sizes:
            return None
        return self._first_free(_beside(box, sizes, self._width, self._height), sizes, self._near(box, sizes))

    def _near(self, box: Area, sizes: Sequence[Size]) -> list[Area]:
        """Return what is taken no further from the box than twice the sizes."""
        if len(self._taken) < FEW:  # not worth the search
            return self._taken
        across = 2 * max([width for width, _ in sizes])
        down = 2 * max([height for _, height in sizes])
        left, top, right, bottom = box[0] - across, box[1] - down, box[2] + across, box[3] + down
        return [
            area for area in self._taken if left < area[2] and area[0] < right and top < area[3] and area[1] < bottom
        ]

    def _first_free(self, candidates: Iterable[Place], sizes: Sequence[Size], near: Sequence[Area]) -> Place | None:
        """Take and return the first candidate that lies in the picture and overlaps nothing near."""
        for index, left, top in candidates:
            right, bottom = left + sizes[index][0], top + sizes[index][1]
            if left < 0 or top < 0 or right > self._width or bottom > self._height:
                continue
            for x1, y1, x2, y2 in near:
                if left < x2 and x1 < right and top < y2 and y1 < bottom:
                    break
            else:
                self._taken.append((left, top, right, bottom))
                return index, left, top
        return None


def _around(box: Area, sizes: Sequence[Size], picture_width: int) -> Iterator[Place]:
    """Yield the places for a tag: above the box, below it, beside it, one row further away."""
    left, top, right, bottom = box
    for index, (w, h) in enumerate(sizes):
        columns = [min(max(0, x), picture_width - w) for x in (left, right - w, (left + right - w) // 2)]
        for y in (top - h, bottom):
            for x in columns:
                yield index, x, y
        for x in (right, left - w):
            yield index, x, top
            yield index, x, bottom - h
        for y in (top - 2 * h, bottom + h):
            for x in columns:
                yield index, x, y


def _inside(box: Area, sizes: Sequence[Size], picture_height: int) -> Iterator[Place]:
    """Yield the places at the visible bottom of the box, for tags that cover a small part of it."""
    left, top, right, bottom = box
    for index, (w, h) in enumerate(sizes):
        if w * h <= INSIDE_SHARE * (right - left) * (bottom - top):
            yield index, max(0, left), min(picture_height, bottom) - h


def _beside(box: Area, sizes: Sequence[Size], picture_width: int, picture_height: int) -> Iterator[Place]:
    """Yield the places for bars: to the right, to the left, below, above; in a tall picture, below first."""
    for index, (w, h) in enumerate(sizes):
        for x, y in _corners(box, w, h, picture_height > picture_width):
            yield index, min(max(0, x), picture_width - w), min(max(0, y), picture_height - h)


def _corners(box: Area, w: int, h: int, below_first: bool) -> Iterator[tuple[int, int]]:
    left, top, right, bottom = box
    gap = h // 12
    below = (left, bottom + gap), (right - w, bottom + gap)
    if below_first:
        yield from below
    for x in (right + gap, left - gap - w):
        yield x, top
        yield x, bottom - h
    if not below_first:
        yield from below
    for x in (right, left - w, left, right - w):
        yield x, top - gap - h
