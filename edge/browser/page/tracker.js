/** Give each face an id that stays from frame to frame. Faces are detected on every frame; see edge/tracker.py for more. */

import { iou } from './blazeface.js';
import { settings } from './settings.js';

const { sameFaceIou, maxMissed } = settings.tracker;

/** Give a face the id of the one that it overlaps most, or a new one. Ids are never used twice. */
export class Tracker {
  #tracks = new Map(); // id -> { corners, missed }
  #nextId = 1;

  /** Return the faces of the next frame by id. @param {import('./blazeface.js').Face[]} faces */
  follow(faces) {
    const pairs = faces
      .flatMap((face) => [...this.#tracks].map(([id, track]) => ({ face, id, overlap: iou(corners(face), track.corners) })))
      .filter(({ overlap }) => overlap >= sameFaceIou)
      .sort((a, b) => b.overlap - a.overlap);
    const ids = new Map();
    for (const { face, id } of pairs) {
      if (!ids.has(face) && ![...ids.values()].includes(id)) ids.set(face, id);
    }
    for (const track of this.#tracks.values()) track.missed++;
    const found = new Map(faces.map((face) => [ids.get(face) ?? this.#nextId++, face]));
    for (const [id, face] of found) this.#tracks.set(id, { corners: corners(face), missed: 0 });
    for (const [id, track] of this.#tracks) if (track.missed >= maxMissed) this.#tracks.delete(id);
    return found;
  }
}

/** Return the corners of a face's box. */
function corners(/** @type {import('./blazeface.js').Face} */ { box }) {
  return [box.x, box.y, box.x + box.width, box.y + box.height];
}
