/** Correct readings for how a person's face looks at rest, as edge/neutral.py and edge/calibrator.py do. */

import { settings } from './settings.js';

const { strength, offset, sharpness, minProbability, label: NEUTRAL, maxFaces } = settings.neutral;

/** Return the logarithms of probabilities; finite for zeros too. */
function logarithms(/** @type {number[]} */ probabilities) {
  return probabilities.map((value) => Math.log(Math.max(value, minProbability)));
}

/**
 * Return the mean logarithms of a face's outputs: its profile.
 * @param {number[][]} outputs of one neutral face @returns {number[]}
 */
export function profileOf(outputs) {
  const logs = outputs.map(logarithms);
  return logs[0].map((_, i) => logs.reduce((sum, values) => sum + values[i], 0) / logs.length);
}

/** Return the corrected probabilities. @param {number[]} probabilities @param {number[]} profile @param {string[]} labels */
export function correct(probabilities, profile, labels) {
  const logits = logarithms(probabilities).map((value, i) => value - strength * profile[i]);
  logits[labels.indexOf(NEUTRAL)] += offset;
  const highest = Math.max(...logits);
  const exponentials = logits.map((value) => Math.exp(sharpness * (value - highest)));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

/** Correct every face by its own neutral face, which a countdown records. */
export class Calibrator {
  #labels;
  #profiles = new Map(); // face id -> profile
  #outputs = new Map(); // face id -> its outputs in the running countdown
  #endsS = null;

  /** @param {string[]} labels */
  constructor(labels) {
    this.#labels = labels;
  }

  /** Begin a countdown. @param {number} nowS @param {number} seconds */
  start(nowS, seconds) {
    this.#endsS = nowS + seconds;
    this.#outputs.clear();
  }

  /** Forget all profiles, and end a countdown. */
  reset() {
    this.#endsS = null;
    this.#profiles.clear();
  }

  /** Return whether any face has a profile. */
  get isActive() {
    return this.#profiles.size > 0;
  }

  /** Return the seconds left of the countdown, null without one. @param {number} nowS */
  remainingS(nowS) {
    return this.#endsS === null ? null : Math.max(0, this.#endsS - nowS);
  }

  /** End the countdown if it is over: each face that was seen has a profile then. @param {number} nowS */
  beginFrame(nowS) {
    if (this.#endsS === null || nowS < this.#endsS) return;
    this.#endsS = null;
    for (const [id, outputs] of this.#outputs) this.#profiles.set(id, profileOf(outputs));
    for (const id of [...this.#profiles.keys()].slice(0, -maxFaces)) this.#profiles.delete(id);
  }

  /** Return a face's probabilities, and whether they were corrected. @param {number} id @param {number[]} probabilities */
  correct(id, probabilities) {
    if (this.#endsS !== null) {
      this.#outputs.set(id, [...(this.#outputs.get(id) ?? []), probabilities]);
      return { values: probabilities, calibrated: false };
    }
    const profile = this.#profiles.get(id);
    if (!profile) return { values: probabilities, calibrated: false };
    return { values: correct(probabilities, profile, this.#labels), calibrated: true };
  }
}
