/**
 * Run TensorFlow Lite models in the browser with LiteRT.js (npm: @litertjs/core), on the CPU by WebAssembly.
 *
 * Its WebGPU backend is not used: it answers int8 models wrong. Nothing of it is loaded by itself: every script and the
 * WebAssembly come from bytes whose hashes were checked.
 */

/**
 * @typedef {object} RuntimeFiles Contents of the runtime's files.
 * @property {ArrayBuffer} core
 * @property {ArrayBuffer} utilities
 * @property {ArrayBuffer} loader
 * @property {ArrayBuffer} wasm
 */

/** A model that is ready to run. */
export class Network {
  #runtime;
  #model;

  constructor(runtime, model) {
    this.#runtime = runtime;
    this.#model = model;
  }

  /** Return the shapes of the outputs. @returns {number[][]} */
  get outputShapes() {
    return this.#model.getOutputDetails().map((details) => [...details.shape]);
  }

  /**
   * Run the network on one input.
   * @param {Uint8Array | Float32Array} data @param {number[]} shape @returns {Promise<(Uint8Array | Float32Array)[]>}
   */
  async run(data, shape) {
    const input = new this.#runtime.Tensor(data, shape);
    const outputs = await this.#model.run([input]);
    const values = outputs.map((output) => output.toTypedArray());
    for (const tensor of [input, ...outputs]) tensor.delete(); // their memory is not collected
    return values;
  }
}

/** Start the runtime. Call it once. @param {RuntimeFiles} files */
export async function startRuntime(files) {
  const utilities = script(files.utilities);
  const source = new TextDecoder().decode(files.core).replace('"@litertjs/wasm-utils"', JSON.stringify(utilities));
  const runtime = await import(script(source));
  globalThis.Module = { wasmBinary: files.wasm, printErr: () => {} }; // the loader takes it from there; it is chatty
  await runtime.loadLiteRt(`${script(files.loader)}#.js`); // it appends a file's name unless the path ends like one
  return {
    /** Open a model from the bytes of its .tflite file. @param {Uint8Array} graph */
    open: async (graph) => new Network(runtime, await runtime.loadAndCompile(graph, { accelerator: 'wasm' })),
  };
}

/** Return the address of a script. @param {ArrayBuffer | string} source */
function script(source) {
  return URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
}
