/** Smooth each face's probabilities over time, and keep its label from flickering, as edge/smoother.py does. */

import { settings } from './settings.js';

const { timeConstantS, uncertainBelow, hysteresis, forgetAfterS, uncertain } = settings.smoother;

/** Keep an exponential moving average and a label for each face id. */
export class Smoother {
  #labels;
  #faces = new Map(); // id -> { timeS, mean, label }

  /** @param {string[]} labels in the order of probabilities */
  constructor(labels) {
    this.#labels = labels;
  }

  /**
   * Return the moving average after this reading, and the label; both start anew where time does not advance.
   * @param {number} id @param {number} timeS @param {number[]} probabilities
   */
  update(id, timeS, probabilities) {
    const last = this.#faces.get(id);
    let mean = probabilities;
    let current;
    if (last && timeS > last.timeS) {
      const weight = 1 - Math.exp((last.timeS - timeS) / timeConstantS);
      mean = last.mean.map((value, i) => value + (probabilities[i] - value) * weight);
      current = last.label;
    } else {
      for (const [key, face] of this.#faces) if (timeS - face.timeS >= forgetAfterS) this.#faces.delete(key);
    }
    const label = this.chooseLabel(mean, current);
    this.#faces.set(id, { timeS, mean, label });
    return { mean, label };
  }

  /**
   * Return the label for these probabilities after the current one, if any. Another emotion must lead by `hysteresis`;
   * after `uncertain`, it takes half of that more than `uncertainBelow`.
   * @param {number[]} probabilities @param {string} [current]
   */
  chooseLabel(probabilities, current) {
    const highest = Math.max(...probabilities);
    const held = probabilities[this.#labels.indexOf(current ?? '')];
    if (held !== undefined && held >= uncertainBelow && held + hysteresis >= highest) return current;
    const threshold = uncertainBelow + (current === uncertain ? hysteresis / 2 : 0);
    return highest >= threshold ? this.#labels[probabilities.indexOf(highest)] : uncertain;
  }
}
