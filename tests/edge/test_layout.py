"""Specify where tags and bars go: they cover no face and no other tag, and lie inside the picture."""

from __future__ import annotations

import numpy as np
import pytest

from edge.layout import Area, Placed, Wanted, arrange, free_corner

TAGS = [(90, 20), (60, 16), (16, 16)]
BARS = [(120, 110), (90, 84)]


def areas(faces: list[Wanted], places: list[Placed]) -> list[Area]:
    """Return the areas that were given to tags and bars."""
    found = []
    for face, placed in zip(faces, places, strict=True):
        for place, sizes in ((placed.tag, face.tags), (placed.bars, face.bars)):
            if place:
                index, x, y = place
                found.append((x, y, x + sizes[index][0], y + sizes[index][1]))
    return found


def overlap(one: Area, other: Area) -> bool:
    """Return whether two areas share a pixel."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize("count", [1, 2, 4, 8, 30])
@pytest.mark.parametrize("size", [(640, 480), (480, 640), (1920, 1080), (320, 240)])
def test_nothing_covers_a_face_or_anything_else(count: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(count)
    note = (0, 0, 60, 20)
    for _ in range(20):
        faces = []
        for _ in range(count):
            x, y, side = int(rng.integers(-20, size[0])), int(rng.integers(-20, size[1])), int(rng.integers(20, 120))
            faces.append(Wanted((x, y, x + side, y + side), TAGS, BARS))
        placed = areas(faces, arrange(size, faces, [note]))
        for i, area in enumerate(placed):
            assert area[0] >= 0 <= area[1]
            assert area[2] <= size[0]
            assert area[3] <= size[1]
            assert not any(overlap(area, other) for other in [note, *placed[i + 1 :]])
            own = sum(overlap(area, face.box) for face in faces)
            assert own == 0 or (own == 1 and _is_small_part(area, faces)), "only a tag without another place"


def _is_small_part(area: Area, faces: list[Wanted]) -> bool:
    """Return whether an area covers at most 15% of the one face that it overlaps."""
    (box,) = [face.box for face in faces if overlap(area, face.box)]
    return (area[2] - area[0]) * (area[3] - area[1]) <= 0.15 * (box[2] - box[0]) * (box[3] - box[1])


@pytest.mark.parametrize(
    ("size", "box", "tag", "bars", "reason"),
    [
        ((640, 480), (200, 150, 350, 300), (0, 200, 130), (0, 359, 150), "tag above, bars to the right"),
        ((640, 480), (450, 150, 600, 300), (0, 450, 130), (0, 321, 150), "no room to the right: to the left"),
        ((480, 640), (100, 150, 250, 300), (0, 100, 130), (0, 100, 309), "a tall picture: bars below"),
        ((640, 480), (200, 5, 350, 155), (0, 200, 155), (0, 359, 5), "no room above: tag below"),
        ((640, 480), (600, 150, 640, 190), (0, 550, 130), (0, 471, 150), "the tag stays inside"),
        ((300, 300), (5, 5, 295, 295), (0, 5, 275), None, "the face fills the picture: a tag inside, no bars"),
    ],
)
def test_where_tag_and_bars_of_one_face_go(
    size: tuple[int, int], box: Area, tag: Placed, bars: Placed | None, reason: str
) -> None:
    assert arrange(size, [Wanted(box, TAGS, BARS)]) == [Placed(tag, bars)], reason


def test_tags_of_faces_in_a_row_are_pushed_apart() -> None:
    faces = [Wanted((x, 200, x + 30, 230), TAGS[:1], []) for x in range(100, 260, 32)]
    tops = [place.tag[2] for place in arrange((640, 480), faces) if place.tag]
    assert len(tops) == 5
    assert {180, 230, 160} <= set(tops), "above, below, one row further"


def test_the_largest_face_has_the_first_choice() -> None:
    small, large = Wanted((100, 200, 160, 260), TAGS, BARS), Wanted((240, 200, 340, 300), TAGS, BARS)
    placed_small, placed_large = arrange((640, 480), [small, large])
    assert placed_large.bars == (0, 349, 200)
    assert placed_small.bars is not None


def test_a_note_takes_a_corner_without_a_face() -> None:
    assert free_corner((640, 480), (60, 20), []) == (0, 0)
    assert free_corner((640, 480), (60, 20), [(10, 5, 90, 85)]) == (580, 0)
    assert free_corner((640, 480), (60, 20), [(0, 0, 640, 480)]) == (0, 0)
