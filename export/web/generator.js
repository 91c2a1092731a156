/** A network from `model.export` in the browser: the part to copy into a page of your own. */

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

/**
 * Reads a file that makes images.
 *
 * @param {Uint8Array} bytes - The content of a .tflite file.
 * @returns {Promise<Generator|Translator>} As its functions are: `generate(latent)` or `translate(image)`.
 * @throws {Error} If LiteRT.js is not installed or the file is neither, in words for whoever chose the file.
 */
export async function load(bytes) {
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
    const Kind = taking(model, "image") ? Translator : Generator;
    const onCPU = new Kind(model, readFacts(bytes), "WASM");
    const onGPU = await loadOnGPU(bytes, onCPU);
    if (onGPU) {
      onCPU.delete();
    }
    return onGPU ?? onCPU;
  } catch (error) {
    model.delete();
    throw error;
  }
}

/** The same network on WebGPU; null where there is none, or where its pictures are others: drivers err silently. */
async function loadOnGPU(bytes, onCPU) {
  // Seeds are drawn here: GPUs lack the integers for them.
  if (onCPU.walks === false || !(await navigator.gpu?.requestAdapter())) {
    return null;
  }
  let onGPU;
  try {
    const model = await litert.loadAndCompile(bytes, { accelerator: "webgpu" });
    onGPU = new onCPU.constructor(model, readFacts(bytes), "WebGPU");
    for (const number of [0, 1]) {
      const [expected, received] = [await onCPU.probe(number), await onGPU.probe(number)];
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

/** The function with this input, for a batch of 1: a file may hold it for other batch sizes, too. */
function taking(model, input) {
  return Object.values(model.signatures).find((signature) =>
    signature.getInputDetails().some((d) => d.name === input && d.shape[0] === 1),
  );
}

/** What both kinds have in common: a function that makes an image of `height`, `width` and `channels`. */
class Network {
  #model;

  constructor(model, signature, accelerator) {
    const image = signature?.getOutputDetails().find((output) => output.name === "image");
    if (!image) {
      const found = Object.keys(model.signatures).join(", ") || "none";
      throw new Error(
        `This model has no generate(latent) → image and no translate(image) → image for a batch of 1. ` +
          `Its signatures: ${found}.`,
      );
    }
    const [, height, width, channels] = image.shape;
    if (image.shape.length !== 4 || ![1, 3, 4].includes(channels)) {
      throw new Error(`This generator makes no images: its output has the shape ${[...image.shape].join(" × ")}.`);
    }
    this.#model = model;
    this.accelerator = accelerator; // For people: "WebGPU" or "WASM".
    Object.assign(this, { height, width, channels });
  }

  /** Runs a function on arrays by name; each has the shape of its input. Returns the image's numbers. */
  async run(signature, arrays) {
    const shapes = Object.fromEntries(signature.getInputDetails().map((input) => [input.name, [...input.shape]]));
    const inputs = Object.fromEntries(
      Object.entries(arrays).map(([name, values]) => [name, new litert.Tensor(values, shapes[name])]),
    );
    const { image } = await signature.run(inputs);
    const values = await image.data();
    for (const tensor of [...Object.values(inputs), image]) {
      tensor.delete();
    }
    return values;
  }

  /** The numbers of an image, as pixels for a canvas. */
  toImageData(values) {
    const [scale, shift] = values instanceof Uint8Array ? [1, 0] : [127.5, 127.5];
    const pixels = new ImageData(this.width, this.height);
    for (let i = 0; i < this.width * this.height; i++) {
      for (let c = 0; c < 4; c++) {
        // The array rounds and clips.
        const value = values[this.channels * i + Math.min(c, this.channels - 1)] * scale + shift;
        pixels.data[4 * i + c] = c < 3 || this.channels === 4 ? value : 255;
      }
    }
    return pixels;
  }

  /** Frees the model's memory. */
  delete() {
    this.#model.delete();
  }
}

/** Images from numbers. */
export class Generator extends Network {
  #prior;
  #generate;
  #sample;

  constructor(model, { prior = STANDARD_NORMAL, classes = 1 }, accelerator) {
    const generate = taking(model, "latent");
    super(model, generate, accelerator);
    const sample = accelerator === "WebGPU" ? undefined : taking(model, "seed");
    const walks = prior?.class_name in QUANTILES;
    if (!walks && !sample) {
      const name = prior?.class_name ?? "own";
      throw new Error(`Only the file itself could draw from its ${name} prior: export it with sample=True.`);
    }
    const inputs = Object.fromEntries(generate.getInputDetails().map((input) => [input.name, input]));
    this.#prior = prior;
    this.#generate = generate;
    this.#sample = sample;
    this.latentDim = inputs.latent.shape[1];
    this.classes = "labels" in inputs ? classes : 0;
    this.walks = walks;
  }

  /** An image to compare accelerators by, 0 or 1. */
  probe(number) {
    return this.generate(this.latent(number), number && Math.max(this.classes - 1, 0));
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
    return this.run(this.#generate, { latent, ...this.#given(label) });
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
      ? this.run(this.#sample, { seed: Int32Array.of(seed), ...this.#given(label) })
      : this.generate(this.latent(seed), label);
  }

  #given(label) {
    return this.classes ? { labels: Int32Array.of(label) } : {};
  }
}

/** Images from images. */
export class Translator extends Network {
  #translate;
  #takesBytes;

  constructor(model, _, accelerator) {
    const translate = taking(model, "image");
    super(model, translate, accelerator);
    const [{ shape, dtype }] = translate.getInputDetails();
    const [, height, width, channels] = shape;
    if (shape.length !== 4 || ![1, 3, 4].includes(channels)) {
      throw new Error(`This model takes no pictures: its input has the shape ${[...shape].join(" × ")}.`);
    }
    this.#translate = translate;
    this.#takesBytes = dtype === "uint8";
    this.source = { height, width, channels };
  }

  /** An image to compare accelerators by, 0 or 1. */
  probe(number) {
    const pixels = new ImageData(this.source.width, this.source.height);
    pixels.data.forEach((_, i) => (pixels.data[i] = 127.5 + 127.5 * Math.sin(i / (7 + 6 * number))));
    return this.translate(pixels);
  }

  /**
   * Draws the middle of a picture on a canvas, at the size that the network takes.
   *
   * @param {HTMLCanvasElement} canvas
   * @param {ImageBitmap|HTMLVideoElement} picture
   * @returns {ImageData} The pixels, for `translate`.
   */
  draw(canvas, picture) {
    const [across, down] = [picture.videoWidth ?? picture.width, picture.videoHeight ?? picture.height];
    const { height, width, channels } = this.source;
    const scale = Math.max(width / across, height / down);
    const [w, h] = [scale * across, scale * down];
    Object.assign(canvas, { height, width });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (channels < 4) {
      context.fillStyle = "white"; // As keras_gan.datasets.load has it behind what is transparent.
      context.fillRect(0, 0, width, height);
    }
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
    return context.getImageData(0, 0, width, height);
  }

  /**
   * What becomes of a picture.
   *
   * @param {ImageData} pixels - As large as `source`.
   * @returns {Promise<Float32Array|Uint8Array>} `height * width * channels` numbers in [-1, 1], or bytes from a file
   *   that was exported for them.
   */
  translate({ data }) {
    const { height, width, channels } = this.source;
    const image = new (this.#takesBytes ? Uint8Array : Float32Array)(height * width * channels);
    // Gray is the luma of ITU-R 601, rounded as Pillow does.
    const gray = (i) => (19595 * data[i] + 38470 * data[i + 1] + 7471 * data[i + 2] + 32768) >> 16;
    for (let i = 0; i < height * width; i++) {
      for (let c = 0; c < channels; c++) {
        const value = channels === 1 ? gray(4 * i) : data[4 * i + c];
        image[channels * i + c] = this.#takesBytes ? value : value / 127.5 - 1;
      }
    }
    return this.run(this.#translate, { image });
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

/** What the export wrote about the generator: the metadata `keras_gan.json` of the flatbuffer, or `{}`. */
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
