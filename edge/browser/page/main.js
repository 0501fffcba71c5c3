/** Run the page: buttons, the loop over the camera's frames, and what is shown. */

import { Camera, cameraObstacle } from './camera.js';
import { FaceCards } from './cards.js';
import { loadReader, showFiles } from './loader.js';
import { drawReadings } from './overlay.js';
import { fromImageData } from './pixels.js';
import { settings } from './settings.js';

const COUNTDOWN_S = 3;
const MAX_SIDE = 4096; // pixels of a picture: canvases of phones end there
const AVERAGED = 20; // frames
const $ = (/** @type {string} */ id) => document.getElementById(id);
const cards = new FaceCards($('faces'));
cards.colours = settings.colours;
const camera = new Camera($('video'), (reason) => stop(reason));
const picture = $('picture').getContext('2d');
const pixels = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
/** @type {Promise<import('./reader.js').EmotionReader> | null} */
let loading = null;
let run = 0; // counts up, so that a loop of an earlier camera ends
let shown = { size: { width: 4, height: 3 }, readings: [], mirrored: false };

const nowS = () => performance.now() / 1000;

/** Set the state of the page: '', 'loading', 'camera' or 'picture'. */
function setState(/** @type {string} */ state, /** @type {string} */ word) {
  const playing = state === 'camera' || state === 'picture';
  document.body.className = `${state} ${playing ? 'playing' : ''} ${state === 'camera' ? 'live' : ''}`;
  $('status').textContent = word;
  $('welcome').hidden = playing;
  $('tools').hidden = !playing;
  for (const id of ['neutral', 'cameras', 'forget']) $(id).hidden = true;
  $('neutral').hidden = state !== 'camera';
  $('stop').textContent = state === 'camera' ? 'Stop' : 'Close';
}

/** Show a message about what went wrong; none for ''. */
function complain(/** @type {string} */ message) {
  $('alert').textContent = message;
  $('alert').hidden = !message;
}

/** Return the reader; load it at the first call. */
async function reader() {
  setState('loading', 'Loading');
  $('hint').textContent = 'Loading the network …';
  loading ??= loadReader();
  try {
    return await loading;
  } catch (error) {
    loading = null;
    throw error;
  }
}

/** Do what a button asks for, as a new run, and say what went wrong, unless another one has begun. */
async function attempt(/** @type {(mine: number) => Promise<void>} */ action) {
  complain('');
  const mine = ++run;
  try {
    await action(mine);
  } catch (error) {
    if (mine === run) stop(error.message);
  }
}

async function startCamera(/** @type {number} */ mine, /** @type {string} */ id = '') {
  resize(picture.canvas, 0, 0);
  const loaded = await reader();
  if (mine !== run) return;
  $('hint').textContent = 'Waiting for the camera …';
  if (!(await camera.open(id))) return;
  loaded.calibrator.reset(); // ids may go on with another person
  setState('camera', 'Live');
  $('neutral').hidden = !loaded.labels.includes(settings.neutral.label);
  const cameras = await camera.list();
  if (mine !== run) return;
  $('cameras').replaceChildren(...cameras.map(({ id: value, name, isOpen }) => new Option(name, value, isOpen, isOpen)));
  $('cameras').hidden = cameras.length < 2;
  await follow(loaded, mine);
}

/** Read frame after frame, always the newest one, until another run starts. */
async function follow(/** @type {import('./reader.js').EmotionReader} */ loaded, /** @type {number} */ mine) {
  const mirrored = !camera.looksAway;
  document.body.classList.toggle('mirrored', mirrored);
  const video = $('video');
  const times = [];
  while (mine === run) {
    await camera.frame();
    if (mine !== run || !video.videoWidth) continue;
    const began = performance.now();
    const image = grab(video, video.videoWidth, video.videoHeight);
    const readings = await loaded.follow(image, began / 1000);
    if (mine !== run) return;
    show(image, readings, mirrored);
    times.push([began, performance.now() - began]);
    if (times.length > AVERAGED) times.shift();
    showFigures(times);
    showCountdown(loaded.calibrator);
  }
}

/** Return the pixels of a video or picture. */
function grab(source, /** @type {number} */ width, /** @type {number} */ height) {
  resize(pixels.canvas, width, height);
  pixels.globalCompositeOperation = 'copy'; // else the picture before shows through a transparent one
  pixels.drawImage(source, 0, 0, width, height);
  return fromImageData(pixels.getImageData(0, 0, width, height));
}

async function readPicture(/** @type {number} */ mine, /** @type {File} */ file) {
  camera.close();
  const loaded = await reader();
  if (mine !== run) return;
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`Expected a picture that this browser can open, as JPEG or PNG; found ${file.name}.`);
  });
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const image = grab(bitmap, Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  bitmap.close();
  const began = performance.now();
  const readings = await loaded.read(image);
  if (mine !== run) return;
  setState('picture', 'Picture');
  show(image, readings, false);
  $('time').textContent = String(Math.round(performance.now() - began));
}

/** Show a picture and its readings; of the camera, the frame that was read, so that the boxes fit. */
function show({ width, height, data }, readings, /** @type {boolean} */ mirrored) {
  shown = { size: { width, height }, readings, mirrored };
  resize(picture.canvas, width, height);
  picture.putImageData(new ImageData(data, width, height), 0, 0);
  $('view').style.setProperty('--ratio', `${width} / ${height}`);
  cards.show(readings, 'No face', 'Faces appear here when they are large enough: a tenth of the picture.');
  draw();
}

/** Set the size of a canvas, which clears it, if it is another one. */
function resize(/** @type {HTMLCanvasElement} */ canvas, /** @type {number} */ width, /** @type {number} */ height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}

function draw() {
  drawReadings($('overlay'), shown.size, shown.readings, settings.colours, shown.mirrored);
}

/** Show the rate and the mean time of the last frames. @param {number[][]} times when each began, and its milliseconds */
function showFigures(times) {
  const elapsed = times.at(-1)[0] - times[0][0];
  const fps = elapsed > 0 ? (1000 * (times.length - 1)) / elapsed : 0;
  $('fps').textContent = fps ? fps.toFixed(fps < 9.95 ? 1 : 0) : '–';
  $('time').textContent = String(Math.round(times.reduce((sum, [, time]) => sum + time, 0) / times.length));
}

function showCountdown(/** @type {import('./neutral.js').Calibrator} */ calibrator) {
  const left = calibrator.remainingS(nowS());
  $('countdown').hidden = left === null;
  $('countdown').textContent = `Hold a neutral face: ${Math.ceil(left ?? 0)}`;
  $('forget').hidden = !calibrator.isActive;
}

/** Return to the start, with a message or none. */
function stop(message = '') {
  run++;
  camera.close();
  shown.readings = [];
  resize(picture.canvas, 0, 0);
  setState('', 'Ready');
  document.body.classList.remove('mirrored');
  $('countdown').hidden = true;
  $('hint').textContent = cameraObstacle();
  $('fps').textContent = $('time').textContent = '–';
  cards.show([], 'No face yet', 'Start the camera, or choose a picture.');
  draw();
  complain(message);
}

$('start').addEventListener('click', () => attempt(startCamera));
$('cameras').addEventListener('change', ({ target }) => attempt((mine) => startCamera(mine, target.value)));
$('file').addEventListener('change', ({ target }) => {
  const [file] = target.files;
  target.value = ''; // so that the same file can be chosen again
  if (file) attempt((mine) => readPicture(mine, file));
});
$('neutral').addEventListener('click', async () => (await loading).calibrator.start(nowS(), COUNTDOWN_S));
$('forget').addEventListener('click', async () => (await loading).calibrator.reset());
$('stop').addEventListener('click', () => stop());
window.addEventListener('resize', draw);
window.addEventListener('pagehide', () => stop());
$('start').disabled = cameraObstacle() !== '';
showFiles($('files'), $('total'));
stop();
