/** Open and close the camera, and say in words why it does not open. */

const WORDS = {
  NotAllowedError: 'The camera is not allowed here. Allow it in the settings of this page in your browser, then start again.',
  NotFoundError: 'No camera was found. Plug one in, or choose a picture.',
  NotReadableError: 'Another program uses the camera. Close it, then start again.',
  OverconstrainedError: 'That camera is gone. Start again to use another one.',
};
const SIZE = { width: { ideal: 640 }, height: { ideal: 480 } };

/** Return why no camera can be used at all, '' if one can. */
export function cameraObstacle() {
  if (!window.isSecureContext) return 'Browsers give cameras to pages from https:// or localhost alone. Pictures work.';
  return navigator.mediaDevices?.getUserMedia ? '' : 'This browser gives pages no camera. Pictures work.';
}

/** One camera that plays into a video element. */
export class Camera {
  #video;
  #stream = null;
  #attempt = 0; // counts up at each close, so that an earlier opening gives up

  /** @param {HTMLVideoElement} video @param {(reason: string) => void} onLost */
  constructor(video, onLost) {
    this.#video = video;
    this.onLost = onLost;
  }

  /**
   * Open a camera, by default the one that faces the user; return whether it is open, and not closed meanwhile.
   * Throws an Error that says what to do.
   * @param {string} [id]
   */
  async open(id) {
    this.close();
    const mine = this.#attempt;
    const video = id ? { ...SIZE, deviceId: { exact: id } } : { ...SIZE, facingMode: 'user' };
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
      if (mine !== this.#attempt) {
        stop(stream);
        return false;
      }
      this.#stream = stream;
      this.#track.addEventListener('ended', () => this.onLost('The camera is gone. Start again when it is back.'));
      this.#video.srcObject = stream;
      await this.#video.play();
    } catch (error) {
      if (mine === this.#attempt) throw new Error(WORDS[error.name] ?? `The camera does not open: ${error.message}.`);
    }
    return mine === this.#attempt;
  }

  get #track() {
    return this.#stream?.getVideoTracks()[0];
  }

  /** Return whether the camera looks away from the user: its picture is not shown mirrored. */
  get looksAway() {
    return this.#track?.getSettings().facingMode === 'environment';
  }

  /** Return the ids and names of all cameras, and which one is open. */
  async list() {
    const devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'videoinput');
    const open = this.#track?.getSettings().deviceId;
    return devices.map(({ deviceId: id, label }, i) => ({ id, name: label || `Camera ${i + 1}`, isOpen: id === open }));
  }

  /** Wait for the next frame. */
  async frame() {
    const video = this.#video;
    if (video.requestVideoFrameCallback) await new Promise((done) => video.requestVideoFrameCallback(done));
    else await new Promise((done) => requestAnimationFrame(done));
  }

  /** Close the camera, whose light goes out. */
  close() {
    this.#attempt++;
    if (this.#stream) stop(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
  }
}

/** Stop a camera's stream. */
function stop(/** @type {MediaStream} */ stream) {
  for (const track of stream.getTracks()) track.stop();
}
