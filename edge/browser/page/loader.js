/** Load the runtime and the models, and show what is loaded from where. */

import { element } from './cards.js';
import { download } from './download.js';
import { EmotionReader } from './reader.js';
import { startRuntime } from './runtime.js';
import { settings } from './settings.js';

/** @type {Map<string, {element: HTMLElement, count: number, missing: number}>} */
const rows = new Map(); // by purpose; files with the same one share a row

/** List what is loaded. @param {HTMLElement} list @param {HTMLElement} total */
export function showFiles(list, total) {
  const groups = new Map();
  for (const file of Object.values(settings.files)) {
    groups.set(file.purpose, [...(groups.get(file.purpose) ?? []), file]);
  }
  for (const [purpose, files] of groups) {
    const row = element('li');
    const { host } = new URL(files[0].url, location.href);
    const from = host === location.host ? 'this site' : host;
    row.append(element('span', 'what', purpose), element('span', 'from', from), element('span', 'size', sizeOf(files)));
    row.title = files.map(({ name }) => name).join(', ');
    list.append(row);
    rows.set(purpose, { element: row, count: files.length, missing: 0 });
  }
  total.textContent = sizeOf(Object.values(settings.files));
}

/** Return the size of files in words. */
function sizeOf(/** @type {{size: number}[]} */ files) {
  return `${(files.reduce((sum, { size }) => sum + size, 0) / 1e6).toFixed(1)} MB`;
}

/** Download everything and open the models. Throws an Error that says what to do. */
export async function loadReader() {
  for (const row of rows.values()) row.missing = row.count;
  const keys = Object.keys(settings.files);
  const contents = await Promise.all(keys.map(load));
  const { model, detector, ...runtime } = Object.fromEntries(keys.map((key, i) => [key, contents[i]]));
  return EmotionReader.open(await startRuntime(runtime), model, detector);
}

/** Download one file. */
async function load(/** @type {string} */ key) {
  const file = settings.files[key];
  const row = rows.get(file.purpose);
  row.element.className = 'loading';
  try {
    const content = await download(file);
    row.missing--;
    if (row.missing === 0) row.element.className = 'loaded';
    return content;
  } catch (error) {
    row.element.className = 'failed';
    throw error;
  }
}
