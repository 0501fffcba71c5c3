/** Show a card with bars for each face; the live page and the browser demo share it. */

const MAX_CARDS = 8;

/** Make an element. @param {string} tag @param {string} [name] its class @param {string} [text] */
export function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Return a share of 0..1 in words. @param {number} value */
export function percent(value) {
  return Math.round(100 * value) + "%";
}

/** The cards of the faces that are seen now. Set `colours`, by label, before the first `show`. */
export class FaceCards {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box;
    this.cards = new Map();
    /** @type {Object<string, string>} */
    this.colours = {};
  }

  /**
   * Show these faces or, without any, two lines of text.
   * @param {{id: number, probabilities: Object<string, number>, emotion: string, confidence: number, calibrated?: boolean}[]} all
   * @param {string} title @param {string} text
   */
  show(all, title, text) {
    const faces = [...all].sort((a, b) => a.id - b.id).slice(0, MAX_CARDS);
    const present = new Set(faces.map((face) => face.id));
    for (const [id, card] of this.cards) if (!present.has(id)) { card.root.remove(); this.cards.delete(id); }
    for (const face of faces) {
      if (!this.cards.has(face.id)) { this.cards.set(face.id, this.open(face)); this.box.append(this.cards.get(face.id).root); }
      this.fill(this.cards.get(face.id), face);
    }
    this.box.classList.toggle("one", faces.length === 1);
    this.box.classList.toggle("small", faces.length > 2);
    let none = this.box.querySelector(".none");
    if (faces.length) { if (none) none.remove(); return; }
    if (!none) { none = element("div", "none"); none.append(element("b"), element("span")); this.box.append(none); }
    none.firstChild.textContent = title;
    none.lastChild.textContent = text;
  }

  open(face) {
    const root = element("article", "face"), head = element("div", "head"), bars = element("div", "bars");
    const made = { root, word: element("span", "word"), sure: element("span", "sure"), note: element("p", "note"), bars: new Map() };
    head.append(made.word, made.sure, element("span", "id", "face " + face.id));
    for (const label of Object.keys(face.probabilities)) {
      const bar = element("div", "bar"), track = element("div", "track"), fill = element("div", "fill"), value = element("span");
      fill.style.background = this.colours[label] || "var(--unsure)";
      track.append(fill);
      bar.append(element("span", "", label), track, value);
      bars.append(bar);
      made.bars.set(label, { bar, fill, value });
    }
    root.append(head, made.note, bars);
    return made;
  }

  fill(card, face) {
    const order = Object.entries(face.probabilities).sort((a, b) => b[1] - a[1]);
    const unsure = !(face.emotion in face.probabilities);
    card.root.classList.toggle("unsure", unsure);
    card.word.textContent = face.emotion;
    card.sure.textContent = unsure ? "" : percent(face.confidence);
    const notes = unsure ? ["no emotion is clear; most likely " + order[0][0] + ", " + percent(order[0][1])] : [];
    if (face.calibrated) notes.push("corrected by its own neutral face");
    card.note.textContent = notes.join("; ");
    const shown = new Set(order.slice(0, 3).map((entry) => entry[0]));
    for (const [label, probability] of order) {
      const row = card.bars.get(label);
      if (!row) continue;
      row.fill.style.transform = "translateX(" + (100 * probability - 100) + "%)";
      row.value.textContent = percent(probability);
      row.bar.classList.toggle("top", label === face.emotion);
      row.bar.classList.toggle("shown", shown.has(label));
    }
  }
}
