/**
 * Preprocess faces: turn a picture and a box into the network's input, as edge/preprocess.py does, to the bit.
 *
 * `resizeLinear`, `halve` and `toGrey` are OpenCV's integer arithmetic (modules/imgproc/src/resize.cpp and color_rgb).
 */

import { settings } from './settings.js';

/**
 * @typedef {object} Pixels Pixels of 0..255, row by row.
 * @property {number} width
 * @property {number} height
 * @property {number} channels 1 (grey) or 4 (RGBA)
 * @property {Uint8Array | Uint8ClampedArray} data
 *
 * @typedef {object} Box A rectangle in whole pixels of the picture; x and y are its left and top edge.
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 */

const WEIGHT_ONE = 2048; // of a pixel, in OpenCV's linear resizing

/** Return the pixels of a canvas' ImageData. @returns {Pixels} */
export function fromImageData({ width, height, data }) {
  return { width, height, channels: 4, data };
}

/** Round to the nearest whole number, halves to the even one, as Python and OpenCV do. */
export function round(/** @type {number} */ value) {
  const low = Math.floor(value);
  const rest = value - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

/**
 * Cut the square around a face; outside the picture, the border pixels are repeated.
 * @param {Pixels} image @param {Box} box @param {number} margin fraction of the side @returns {Pixels}
 */
export function crop(image, box, margin) {
  const side = Math.max(1, round(Math.max(box.width, box.height) * (1 + 2 * margin)));
  const left = round(box.x + box.width / 2 - side / 2);
  const top = round(box.y + box.height / 2 - side / 2);
  const { width, height, channels, data } = image;
  const cut = new Uint8Array(side * side * channels);
  for (let y = 0, to = 0; y < side; y++) {
    const row = clamp(top + y, height) * width;
    for (let x = 0; x < side; x++, to += channels) {
      const from = (row + clamp(left + x, width)) * channels;
      for (let c = 0; c < channels; c++) cut[to + c] = data[from + c];
    }
  }
  return { width: side, height: side, channels, data: cut };
}

/** Return the index of the nearest pixel inside 0..length. */
function clamp(/** @type {number} */ index, /** @type {number} */ length) {
  return Math.min(Math.max(index, 0), length - 1);
}

/** Convert RGBA to grey. @param {Pixels} image @returns {Pixels} */
export function toGrey({ width, height, channels, data }) {
  if (channels === 1) return { width, height, channels, data };
  const grey = new Uint8Array(width * height);
  for (let i = 0, from = 0; i < grey.length; i++, from += 4) {
    grey[i] = (9798 * data[from] + 19235 * data[from + 1] + 3735 * data[from + 2] + 16384) >> 15;
  }
  return { width, height, channels: 1, data: grey };
}

/** Reduce to half the size, rounded down: the mean of each 2 x 2 pixels. @param {Pixels} image @returns {Pixels} */
export function halve({ width, height, channels, data }) {
  const size = (width >> 1) * (height >> 1) * channels;
  const half = { width: width >> 1, height: height >> 1, channels, data: new Uint8Array(size) };
  const row = width * channels;
  for (let y = 0, to = 0; y < half.height; y++) {
    for (let x = 0; x < half.width; x++) {
      for (let c = 0; c < channels; c++, to++) {
        const from = 2 * y * row + 2 * x * channels + c;
        half.data[to] = (data[from] + data[from + channels] + data[from + row] + data[from + row + channels] + 2) >> 2;
      }
    }
  }
  return half;
}

/**
 * Resize by linear interpolation, as OpenCV's INTER_LINEAR.
 * @param {Pixels} image @param {number} width @param {number} height @returns {Pixels}
 */
export function resizeLinear(image, width, height) {
  if (image.width === 2 * width && image.height === 2 * height) return halve(image); // as OpenCV decides
  const { channels, data } = image;
  const columns = samples(image.width, width, true);
  const rows = samples(image.height, height, false);
  const length = width * channels;
  const lines = new Map(); // of the picture, resized horizontally
  const line = (/** @type {number} */ y) => {
    if (!lines.has(y)) lines.set(y, resizeLine(data, y * image.width * channels, channels, columns));
    return lines.get(y);
  };
  const resized = new Uint8Array(length * height);
  rows.forEach((row, y) => {
    const [upper, lower] = [line(row.first), line(row.second)];
    for (let i = 0; i < length; i++) {
      const sum = ((row.weight * (upper[i] >> 4)) >> 16) + ((row.rest * (lower[i] >> 4)) >> 16);
      resized[y * length + i] = (sum + 2) >> 2;
    }
  });
  return { width, height, channels, data: resized };
}

/** Return which two pixels of one side make each pixel of the other, and their weights; `edge`: one pixel at the edges. */
function samples(/** @type {number} */ from, /** @type {number} */ to, /** @type {boolean} */ edge) {
  const scale = 1 / (to / from);
  return Array.from({ length: to }, (_, i) => {
    const at = Math.fround((i + 0.5) * scale - 0.5);
    const first = Math.floor(at);
    const outside = edge && (first < 0 || first >= from - 1);
    const part = outside ? 0 : Math.fround(at - first);
    const weight = round(Math.fround(Math.fround(1 - part) * WEIGHT_ONE));
    const rest = round(Math.fround(part * WEIGHT_ONE));
    return { first: clamp(first, from), second: clamp(first + 1, from), weight, rest };
  });
}

/** Resize one line of pixels; the values are WEIGHT_ONE times as large. */
function resizeLine(data, start, channels, columns) {
  const line = new Int32Array(columns.length * channels);
  columns.forEach(({ first, second, weight, rest }, x) => {
    for (let c = 0; c < channels; c++) {
      line[x * channels + c] = data[start + first * channels + c] * weight + data[start + second * channels + c] * rest;
    }
  });
  return line;
}

/** Reduce a grey face to the resolution of the training faces. @param {Pixels} grey @param {number} size @returns {Pixels} */
function toFace(grey, size) {
  if (grey.width === size && grey.height === size) return grey;
  let face = grey;
  while (Math.min(face.width, face.height) >= 2 * size) face = halve(face);
  return resizeLinear(face, size, size);
}

/**
 * Return the network's input for a face: size x size RGB pixels with three equal channels.
 * @param {Pixels} face
 * @param {import('./model_file.js').Card} card
 * @param {boolean} mirrored
 */
export function toInput(face, card, mirrored) {
  const { input_size: size, face_size: faceSize } = card;
  const isLarge = Math.min(face.width, face.height) >= settings.largeFaceRatio * faceSize;
  const sampled = isLarge ? resizeLinear(face, 2 * faceSize, 2 * faceSize) : face;
  const small = toFace(toGrey(sampled), faceSize);
  const grey = size === faceSize ? small : resizeLinear(small, size, size);
  const input = new Uint8Array(3 * size * size);
  for (let i = 0; i < size * size; i++) {
    const column = i % size;
    input.fill(grey.data[mirrored ? i - column + size - 1 - column : i], 3 * i, 3 * i + 3);
  }
  return input;
}
