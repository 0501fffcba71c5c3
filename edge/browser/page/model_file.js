/** Read what a .tflite file says about itself: its card (see edge/card.py), and how its output is quantized. */

const END_OF_DIRECTORY = 0x06054b50; // signature in the zip archive that follows the graph
const END_LENGTH = 22;
const ENTRY_LENGTH = 46;
const HEADER_LENGTH = 30;
const STORED = 0;
const CARD_FILE = 'card.json';

/**
 * @typedef {object} Card
 * @property {string[]} labels in the order of the outputs
 * @property {number} input_size pixels
 * @property {number} face_size pixels: resolution of the training faces
 * @property {number} crop_margin of the detector's box, as a fraction of its side
 *
 * @typedef {object} Quantization A value of 0..255 stands for `scale * (value - zeroPoint)`.
 * @property {number} scale
 * @property {number} zeroPoint
 */

/**
 * Return the graph, the card and the quantization of the output, null for floats. Throws an Error for a file without card.
 * @param {ArrayBuffer} file
 */
export function readModelFile(file) {
  const view = new DataView(file);
  const entries = zipEntries(view);
  const entry = entries.find(({ name }) => name === CARD_FILE);
  if (entry?.method !== STORED) throw new Error(`Expected a model with ${CARD_FILE} inside. Export the model again.`);
  const lengths = view.getUint16(entry.offset + 26, true) + view.getUint16(entry.offset + 28, true);
  const text = new Uint8Array(file, entry.offset + HEADER_LENGTH + lengths, entry.size);
  /** @type {Card} */
  const card = JSON.parse(new TextDecoder().decode(text));
  const graph = new Uint8Array(file, 0, Math.min(...entries.map(({ offset }) => offset)));
  return { card, graph, quantization: outputQuantization(view) };
}

/** Return the entries of the zip archive at the end of a file, which has no comment. */
function zipEntries(/** @type {DataView} */ view) {
  const end = view.byteLength - END_LENGTH;
  if (end < 0 || view.getUint32(end, true) !== END_OF_DIRECTORY) return [];
  let at = view.getUint32(end + 16, true);
  return Array.from({ length: view.getUint16(end + 10, true) }, () => {
    const nameLength = view.getUint16(at + 28, true);
    const entry = {
      name: new TextDecoder().decode(new Uint8Array(view.buffer, at + ENTRY_LENGTH, nameLength)),
      method: view.getUint16(at + 10, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    };
    at += ENTRY_LENGTH + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    return entry;
  });
}

/** Return the quantization of the graph's first output. @returns {Quantization | null} */
function outputQuantization(/** @type {DataView} */ view) {
  // Fields by their number in TensorFlow Lite's schema.fbs: Model.subgraphs 2; SubGraph.tensors 0, outputs 2;
  // Tensor.quantization 4; QuantizationParameters.scale 2, zero_point 3.
  const model = view.getUint32(0, true);
  const subgraph = element(view, field(view, model, 2), 0);
  const output = view.getInt32(follow(view, field(view, subgraph, 2)) + 4, true);
  const tensor = element(view, field(view, subgraph, 0), output);
  const quantization = field(view, tensor, 4);
  const scales = quantization && field(view, follow(view, quantization), 2);
  if (!scales || view.getUint32(follow(view, scales), true) === 0) return null;
  const zeroPoints = field(view, follow(view, quantization), 3);
  return {
    scale: view.getFloat32(follow(view, scales) + 4, true),
    zeroPoint: zeroPoints ? Number(view.getBigInt64(follow(view, zeroPoints) + 4, true)) : 0,
  };
}

/** Return where a field of a flatbuffer's table is; 0 if the table lacks it. */
function field(/** @type {DataView} */ view, /** @type {number} */ table, /** @type {number} */ number) {
  const names = table - view.getInt32(table, true);
  const place = 4 + 2 * number;
  const offset = place < view.getUint16(names, true) ? view.getUint16(names + place, true) : 0;
  return offset && table + offset;
}

/** Return where an offset at a place leads. */
function follow(/** @type {DataView} */ view, /** @type {number} */ at) {
  return at + view.getUint32(at, true);
}

/** Return where an element of a list of tables is. */
function element(/** @type {DataView} */ view, /** @type {number} */ list, /** @type {number} */ index) {
  return follow(view, follow(view, list) + 4 + 4 * index);
}
