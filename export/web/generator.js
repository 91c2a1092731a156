/** A generator from `gan.export` in the browser: the part to copy into a page of your own. */

const STANDARD_NORMAL = { class_name: "Normal", config: { mean: 0, stddev: 1 } };
const LITERT = new URL("./node_modules/@litertjs/core/", import.meta.url);
let litert;

async function loadRuntime() {
  try {
    litert ??= await import("@litertjs/core");
    await (litert.getGlobalLiteRtPromise() ?? litert.loadLiteRt(new URL("wasm/", LITERT).href));
  } catch (cause) {
    throw new Error("LiteRT.js is missing. Run npm ci in the folder of this page, then reload it.", { cause });
  }
}

export class Generator {
  #model;
  #prior;
  #generate;
  #sample;

  /**
   * Reads a generator of images.
   *
   * @param {Uint8Array} bytes - The content of a .tflite file.
   * @returns {Promise<Generator>}
   * @throws {Error} If LiteRT.js is not installed or the file is no generator, in words for whoever chose the file.
   */
  static async load(bytes) {
    if (String.fromCharCode(...bytes.subarray(4, 8)) !== "TFL3") {
      throw new Error("This is not a .tflite file.");
    }
    await loadRuntime();
    let model;
    try {
      model = await litert.loadAndCompile(bytes, { accelerator: "wasm" });
    } catch (cause) {
      throw new Error("This .tflite file is damaged, or has operations that LiteRT.js lacks.", { cause });
    }
    try {
      const onCPU = new Generator(model, readFacts(bytes), "WASM");
      const onGPU = await Generator.#loadOnGPU(bytes, onCPU);
      if (onGPU) {
        onCPU.delete();
      }
      return onGPU ?? onCPU;
    } catch (error) {
      model.delete();
      throw error;
    }
  }

  /** The same generator on WebGPU; null where there is none, or where its pictures are others: drivers err silently. */
  static async #loadOnGPU(bytes, onCPU) {
    // Seeds are drawn here: GPUs lack the integers for them.
    if (!onCPU.walks || !(await navigator.gpu?.requestAdapter())) {
      return null;
    }
    let onGPU;
    try {
      const model = await litert.loadAndCompile(bytes, { accelerator: "webgpu" });
      onGPU = new Generator(model, readFacts(bytes), "WebGPU");
      onGPU.#sample = undefined;
      for (const [seed, label] of [0, Math.max(onCPU.classes - 1, 0)].entries()) {
        const latent = onCPU.latent(seed);
        const [expected, received] = [await onCPU.generate(latent, label), await onGPU.generate(latent, label)];
        const level = expected instanceof Uint8Array ? 1 : 1 / 127.5;
        if (!expected.every((value, i) => Math.abs(value - received[i]) <= 2 * level)) {
          throw new Error("WebGPU gives another picture than WASM.");
        }
      }
      return onGPU;
    } catch (error) {
      console.warn("Running on WASM:", error);
      onGPU?.delete();
      return null;
    }
  }

  constructor(model, { prior = STANDARD_NORMAL, classes = 1 }, accelerator) {
    // A file may hold the same functions for other batch sizes, too.
    const signatures = Object.values(model.signatures);
    const taking = (input) =>
      signatures.find((signature) => signature.getInputDetails().some((d) => d.name === input && d.shape[0] === 1));
    this.#generate = taking("latent");
    this.#sample = taking("seed");
    const image = this.#generate?.getOutputDetails().find((output) => output.name === "image");
    if (!image) {
      const found = signatures.map((signature) => signature.key).join(", ") || "none";
      throw new Error(`This model has no generate(latent) → image for a batch of 1. Its signatures: ${found}.`);
    }
    const [, height, width, channels] = image.shape;
    if (image.shape.length !== 4 || ![1, 3].includes(channels)) {
      throw new Error(`This generator makes no images: its output has the shape ${[...image.shape].join(" × ")}.`);
    }
    const walks = prior?.class_name in QUANTILES;
    if (!walks && !this.#sample) {
      const name = prior?.class_name ?? "own";
      throw new Error(`Only the file itself could draw from its ${name} prior: export it with sample=True.`);
    }
    const inputs = Object.fromEntries(this.#generate.getInputDetails().map((input) => [input.name, input]));
    this.#model = model;
    this.#prior = prior;
    this.latentDim = inputs.latent.shape[1];
    this.accelerator = accelerator; // For people: "WebGPU" or "WASM".
    this.classes = "labels" in inputs ? classes : 0;
    Object.assign(this, { height, width, channels, walks });
  }

  /**
   * The latent that belongs to a seed, the same as in Python, for a generator that `walks`.
   *
   * @param {number} seed - Integer of 32 bits.
   * @returns {Float32Array} Of `latentDim` numbers.
   */
  latent(seed) {
    const quantile = QUANTILES[this.#prior.class_name](this.#prior.config);
    return Float32Array.from({ length: this.latentDim }, (_, i) => quantile(uniform(seed, i)));
  }

  /** The latent on the way from one to another, `t` from 0 to 1: along the sphere where normal latents lie. */
  between(start, end, t) {
    return (this.#prior.class_name === "Normal" ? slerp : lerp)(start, end, t);
  }

  /**
   * The image of a latent.
   *
   * @param {Float32Array} latent - `latentDim` numbers.
   * @param {number} label - Integer less than `classes`, the class; only for a conditional generator.
   * @returns {Promise<Float32Array|Uint8Array>} `height * width * channels` numbers in [-1, 1], or bytes from a file
   *   that was exported for them.
   */
  generate(latent, label = 0) {
    return this.#run(this.#generate, { latent: new litert.Tensor(latent, [1, this.latentDim]) }, label);
  }

  /**
   * The image of a seed, by the file's own `sample` where it has that: it knows the prior.
   *
   * @param {number} seed - Integer of 32 bits.
   * @param {number} label - As for `generate`.
   * @returns {Promise<Float32Array|Uint8Array>} As from `generate`.
   */
  sample(seed, label = 0) {
    return this.#sample
      ? this.#run(this.#sample, { seed: new litert.Tensor(Int32Array.of(seed), [1]) }, label)
      : this.generate(this.latent(seed), label);
  }

  async #run(signature, inputs, label) {
    if (this.classes) {
      inputs.labels = new litert.Tensor(Int32Array.of(label), [1]);
    }
    const { image } = await signature.run(inputs);
    const values = await image.data();
    for (const tensor of [...Object.values(inputs), image]) {
      tensor.delete();
    }
    return values;
  }

  /** What `generate` and `sample` return, as pixels for a canvas. */
  toImageData(values) {
    const [scale, shift] = values instanceof Uint8Array ? [1, 0] : [127.5, 127.5];
    const pixels = new ImageData(this.width, this.height);
    for (let i = 0; i < this.width * this.height; i++) {
      for (let c = 0; c < 3; c++) {
        // The array rounds and clips.
        pixels.data[4 * i + c] = values[this.channels * i + (c % this.channels)] * scale + shift;
      }
      pixels.data[4 * i + 3] = 255;
    }
    return pixels;
  }

  /** Frees the model's memory. */
  delete() {
    this.#model.delete();
  }
}

/** Number `i` of a seed, in (0, 1): a counter-based generator that rests on the finaliser of MurmurHash3. */
function uniform(seed, i) {
  const bits = mix(mix(mix(seed) ^ Math.imul(i, 0x9e3779b9)) ^ 0x5bd1e995);
  return ((bits >>> 9) + 0.5) / 2 ** 23;
}

function mix(x) {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

// The quantile functions of the priors whose numbers each come from one uniform number.
const QUANTILES = {
  Normal: ({ mean, stddev }) => (u) => mean + stddev * Math.SQRT2 * erfinv(2 * u - 1),
  Uniform: ({ low, high }) => (u) => low + (high - low) * u,
};

// Giles, 2010, "Approximating the erfinv function": the polynomials near the middle and in the tails.
const MIDDLE = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
  0.246640727, 1.50140941,
];
const TAILS = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
  1.00167406, 2.83297682,
];

function erfinv(x) {
  const w = -Math.log((1 - x) * (1 + x));
  const [coefficients, y] = w < 5 ? [MIDDLE, w - 2.5] : [TAILS, Math.sqrt(w) - 3];
  return x * coefficients.reduce((sum, coefficient) => sum * y + coefficient);
}

function lerp(start, end, t) {
  return start.map((x, i) => (1 - t) * x + t * end[i]);
}

function slerp(start, end, t) {
  const [a, b] = [start, end].map((z) => Math.hypot(...z));
  const cosine = start.reduce((sum, x, i) => sum + x * end[i], 0) / (a * b);
  const omega = Math.acos(Math.min(1, Math.max(-1, cosine)));
  const sine = Math.sin(omega);
  const [p, q] = sine > 1e-3 ? [Math.sin((1 - t) * omega) / sine, Math.sin(t * omega) / sine] : [1 - t, t];
  const norm = (1 - t) * a + t * b;
  return start.map((x, i) => norm * ((p * x) / a + (q * end[i]) / b));
}

/** What `gan.export` wrote about the generator: the metadata `keras_gan.json` of the flatbuffer, or `{}`. */
function readFacts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const follow = (position) => position + view.getUint32(position, true);
  const field = (table, number) => {
    const vtable = table - view.getInt32(table, true);
    const inside = 4 + 2 * number < view.getUint16(vtable, true);
    const offset = inside ? view.getUint16(vtable + 4 + 2 * number, true) : 0;
    return offset && table + offset;
  };
  const tables = (position) => {
    const vector = position && follow(position);
    const length = vector && view.getUint32(vector, true);
    return Array.from({ length }, (_, i) => follow(vector + 4 + 4 * i));
  };
  const text = (position) => {
    const start = follow(position);
    return new TextDecoder().decode(bytes.subarray(start + 4, start + 4 + view.getUint32(start, true)));
  };
  // Field numbers are those of LiteRT's schema.
  const model = follow(0);
  const [buffers, metadata] = [field(model, 4), field(model, 6)].map(tables);
  const entry = metadata.find((table) => text(field(table, 0)) === "keras_gan.json");
  return entry ? JSON.parse(text(field(buffers[view.getUint32(field(entry, 1), true)], 0))) : {};
}
