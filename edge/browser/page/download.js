/** Download files, and refuse any whose content is not the expected one. */

/**
 * @typedef {object} PinnedFile
 * @property {string} name
 * @property {string} url
 * @property {string} integrity `sha256-` and the hash in base64; the browser compares it before the page sees a byte
 */

/** Download a file. Throws an Error that says what to do. @param {PinnedFile} file @returns {Promise<ArrayBuffer>} */
export async function download({ name, url, integrity }) {
  const { host } = new URL(url, location.href);
  let status = '';
  try {
    const answer = await fetch(url, { integrity, credentials: 'same-origin', referrerPolicy: 'no-referrer' });
    if (answer.ok) return await answer.arrayBuffer();
    status = ` (status ${answer.status})`;
  } catch {
    status = ': no connection, or not the expected file'; // the browser does not say which of the two it was
  }
  throw new Error(`Cannot load ${name} from ${host}${status}. Start again to try once more.`);
}
