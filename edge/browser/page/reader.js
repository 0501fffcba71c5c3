/** Read the emotions of the faces in pictures and video frames: detect, track, classify, correct, smooth. */

import { BlazeFace } from './blazeface.js';
import { readModelFile } from './model_file.js';
import { Calibrator } from './neutral.js';
import { crop, toInput } from './pixels.js';
import { Smoother } from './smoother.js';
import { Tracker } from './tracker.js';

/**
 * @typedef {import('./pixels.js').Pixels} Pixels
 * @typedef {import('./pixels.js').Box} Box
 *
 * @typedef {object} Reading
 * @property {number} id of the face: the same from frame to frame; in a picture, its rank by size
 * @property {Box} box
 * @property {Object<string, number>} probabilities
 * @property {string} emotion one of the labels, or `uncertain`
 * @property {number} confidence
 * @property {boolean} calibrated corrected by the person's neutral face
 */

/** Classify faces with a model file. */
class Classifier {
  #network;
  #quantization;

  constructor(network, { card, quantization }) {
    this.#network = network;
    this.#quantization = quantization;
    this.card = card;
  }

  /** Return the probabilities of a face. @param {Pixels} image @param {Box} box @param {boolean} mirrored */
  async read(image, box, mirrored) {
    const { input_size: size, crop_margin: margin } = this.card;
    const input = toInput(crop(image, box, margin), this.card, mirrored);
    const [values] = await this.#network.run(input, [1, size, size, 3]);
    if (!this.#quantization) return [...values];
    const { scale, zeroPoint } = this.#quantization;
    return Array.from(values, (value) => scale * (value - zeroPoint));
  }

  /** Return the mean of a face's probabilities and its mirror image's. @param {Pixels} image @param {Box} box */
  async readBothWays(image, box) {
    const ways = [await this.read(image, box, false), await this.read(image, box, true)];
    return ways[0].map((value, i) => (value + ways[1][i]) / 2);
  }
}

/** Read pictures, and the frames of one camera. */
export class EmotionReader {
  #tracker = new Tracker();
  #mirrored = false; // whether this frame's faces are read mirrored: every other frame's are

  constructor(detector, classifier) {
    this.detector = detector;
    this.classifier = classifier;
    this.labels = classifier.card.labels;
    this.calibrator = new Calibrator(this.labels);
    this.smoother = new Smoother(this.labels);
  }

  /**
   * Open the models. `runtime` is that of startRuntime.
   * @param {ArrayBuffer} model @param {ArrayBuffer} detectorModel
   */
  static async open(runtime, model, detectorModel) {
    const file = readModelFile(model);
    const classifier = new Classifier(await runtime.open(file.graph), file);
    return new EmotionReader(new BlazeFace(await runtime.open(new Uint8Array(detectorModel))), classifier);
  }

  /** Read a picture. @param {Pixels} image @returns {Promise<Reading[]>} */
  async read(image) {
    const readings = [];
    for (const { box } of await this.detector.detect(image)) {
      const probabilities = await this.classifier.readBothWays(image, box);
      const label = this.smoother.chooseLabel(probabilities);
      readings.push(this.#reading(readings.length + 1, box, probabilities, label, false));
    }
    return readings;
  }

  /** Read the next frame of the camera. @param {Pixels} image @param {number} timeS @returns {Promise<Reading[]>} */
  async follow(image, timeS) {
    const faces = this.#tracker.follow(await this.detector.detect(image));
    this.#mirrored = !this.#mirrored;
    this.calibrator.beginFrame(timeS);
    const readings = [];
    for (const [id, { box }] of faces) {
      const output = await this.classifier.read(image, box, this.#mirrored);
      const { values, calibrated } = this.calibrator.correct(id, output);
      const { mean, label } = this.smoother.update(id, timeS, values);
      readings.push(this.#reading(id, box, mean, label, calibrated));
    }
    return readings;
  }

  /** @returns {Reading} */
  #reading(id, box, values, emotion, calibrated) {
    const probabilities = Object.fromEntries(this.labels.map((label, i) => [label, values[i]]));
    return { id, box, probabilities, emotion, confidence: probabilities[emotion] ?? Math.max(...values), calibrated };
  }
}
