/** Draw a box and a tag for each face over the picture. */

const TAG_HEIGHT = 24; // CSS pixels
const PADDING = 8;

/**
 * Draw the readings of a picture that fills the canvas as `object-fit: contain` does.
 * @param {HTMLCanvasElement} canvas
 * @param {{width: number, height: number}} size of the picture, in pixels
 * @param {import('./reader.js').Reading[]} readings
 * @param {Object<string, string>} colours
 * @param {boolean} mirrored whether the picture is shown mirrored
 */
export function drawReadings(canvas, size, readings, colours, mirrored) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext('2d');
  pen.scale(ratio, ratio);
  const scale = Math.min(width / size.width, height / size.height);
  const left = (width - size.width * scale) / 2;
  const top = (height - size.height * scale) / 2;
  for (const reading of readings) {
    const { x, y, width: side } = reading.box;
    const column = mirrored ? size.width - x - side : x;
    const colour = colours[reading.emotion] ?? '#9aa1ac';
    drawFace(pen, left + column * scale, top + y * scale, side * scale, wording(reading, readings.length), colour, width);
  }
}

/** Return a face's tag. Of several, it has the number of the card, which shows the rest. */
function wording({ id, emotion, confidence, probabilities }, /** @type {number} */ count) {
  if (count > 1) return `${id} ${emotion}`;
  return emotion in probabilities ? `${emotion} ${Math.round(100 * confidence)}%` : emotion;
}

/** Draw one face. */
function drawFace(pen, x, y, side, /** @type {string} */ text, colour, width) {
  for (const [style, line] of [['rgba(0, 0, 0, .45)', 5], [colour, 3]]) {
    pen.strokeStyle = style;
    pen.lineWidth = line;
    pen.beginPath();
    pen.roundRect(x, y, side, side, 10);
    pen.stroke();
  }
  pen.font = '600 14px system-ui, sans-serif';
  const tag = pen.measureText(text).width + 2 * PADDING;
  const tagX = Math.max(4, Math.min(x - 1.5, width - tag - 4));
  const tagY = y >= TAG_HEIGHT + 8 ? y - TAG_HEIGHT - 6 : y + 6;
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(tagX, tagY, tag, TAG_HEIGHT, 7);
  pen.fill();
  pen.fillStyle = isDark(colour) ? '#fff' : '#111';
  pen.fillText(text, tagX + PADDING, tagY + 17);
}

/** Return whether white text is easier to read on a colour than black. */
function isDark(/** @type {string} */ hex) {
  const number = parseInt(hex.slice(1), 16);
  return 0.299 * (number >> 16) + 0.587 * ((number >> 8) & 255) + 0.114 * (number & 255) < 130;
}
