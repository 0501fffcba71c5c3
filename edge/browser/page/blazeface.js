/** Detect faces with MediaPipe's BlazeFace (short range), as edge/detectors/blazeface.py does. */

import { round } from './pixels.js';
import { settings } from './settings.js';

/**
 * @typedef {object} Face
 * @property {import('./pixels.js').Box} box
 * @property {number} score of the detector, 0..1
 *
 * @typedef {number[]} Corners left, top, right, bottom
 */

const { side: SIDE, grids, minScore, maxIou, crop } = settings.blazeface;
const MIN_LOGIT = Math.log(minScore / (1 - minScore));
const VALUES = 16; // the network gives for each anchor: offset and size of the box, and six points, which are not used

/** A detector on a network that is open. */
export class BlazeFace {
  #network;
  #anchors = anchors();
  #input = new Float32Array(3 * SIDE * SIDE);

  /** @param {import('./runtime.js').Network} network */
  constructor(network) {
    this.#network = network;
  }

  /** Return the faces of a picture, largest first. @param {import('./pixels.js').Pixels} image @returns {Promise<Face[]>} */
  async detect(image) {
    const scale = SIDE / Math.max(image.width, image.height);
    const left = (SIDE - image.width * scale) / 2;
    const top = (SIDE - image.height * scale) / 2;
    sample(image, scale, left, top, this.#input);
    const outputs = await this.#network.run(this.#input, [1, SIDE, SIDE, 3]);
    const [regressors, logits] = outputs[0].length > outputs[1].length ? outputs : [outputs[1], outputs[0]];
    return merge(this.#decode(regressors, logits))
      .map(({ corners, score }) => square(corners.map((value, i) => (value - (i % 2 ? top : left)) / scale), score))
      .sort((a, b) => b.box.width - a.box.width || a.box.x - b.box.x || a.box.y - b.box.y);
  }

  /** Return the boxes of probable faces, best first, in pixels of the network's input. */
  #decode(regressors, logits) {
    const found = [];
    this.#anchors.forEach(([anchorX, anchorY], i) => {
      if (logits[i] < MIN_LOGIT) return;
      const [x, y, width, height] = regressors.subarray(VALUES * i, VALUES * i + 4);
      const corners = [-1, 1].flatMap((sign) => [anchorX + x + (sign * width) / 2, anchorY + y + (sign * height) / 2]);
      found.push({ corners, score: 1 / (1 + Math.exp(-logits[i])) });
    });
    return found.sort((a, b) => b.score - a.score);
  }
}

/** Return the centres of the anchors in the order of the outputs, in pixels of the input. @returns {[number, number][]} */
function anchors() {
  const centres = [];
  for (const [cells, count] of grids) {
    for (let i = 0; i < cells * cells * count; i++) {
      const cell = Math.floor(i / count);
      centres.push([(((cell % cells) + 0.5) * SIDE) / cells, ((Math.floor(cell / cells) + 0.5) * SIDE) / cells]);
    }
  }
  return centres;
}

/** Sample a picture to the network's input, -1..1, linearly; black (-1) outside the picture. */
function sample({ width, height, data }, scale, left, top, input) {
  const pixel = (x, y, c) => (x >= 0 && y >= 0 && x < width && y < height ? data[(y * width + x) * 4 + c] : 0);
  for (let row = 0, to = 0; row < SIDE; row++) {
    const y = (row - top) / scale;
    const y0 = Math.floor(y);
    for (let column = 0; column < SIDE; column++) {
      const x = (column - left) / scale;
      const x0 = Math.floor(x);
      for (let c = 0; c < 3; c++, to++) {
        const upper = pixel(x0, y0, c) * (x0 + 1 - x) + pixel(x0 + 1, y0, c) * (x - x0);
        const lower = pixel(x0, y0 + 1, c) * (x0 + 1 - x) + pixel(x0 + 1, y0 + 1, c) * (x - x0);
        input[to] = Math.round(upper * (y0 + 1 - y) + lower * (y - y0)) / 127.5 - 1;
      }
    }
  }
}

/** Make one face of overlapping boxes: their mean, weighted by score. */
function merge(/** @type {{corners: Corners, score: number}[]} */ boxes) {
  const faces = [];
  while (boxes.length) {
    const best = boxes[0];
    const same = boxes.filter((box) => box === best || iou(best.corners, box.corners) > maxIou);
    const total = same.reduce((sum, { score }) => sum + score, 0);
    const corners = best.corners.map((_, i) => same.reduce((sum, box) => sum + box.score * box.corners[i], 0) / total);
    faces.push({ corners, score: best.score });
    boxes = boxes.filter((box) => !same.includes(box));
  }
  return faces;
}

/** Return the intersection over union of two boxes, 0..1. */
export function iou(/** @type {Corners} */ a, /** @type {Corners} */ b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const overlap = Math.max(width, 0) * Math.max(height, 0);
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return overlap / Math.max(area(a) + area(b) - overlap, 1e-9);
}

/** Return the face of a box: the square that FER-2013 would have cut out. @returns {Face} */
function square(/** @type {Corners} */ [left, top, right, bottom], /** @type {number} */ score) {
  const size = Math.sqrt((right - left) * (bottom - top));
  const side = Math.max(1, round(crop.scale * size));
  const x = round((left + right - side) / 2);
  const y = round((top + bottom - side) / 2 + crop.down * size);
  return { box: { x, y, width: side, height: side }, score };
}
