import { Translator, load } from "./generator.js";

const SAMPLES = 24;
const SECONDS_PER_WALK = 3;
const INVITATION = "Open a .tflite file that keras_gan exported, or drop one here.";

const $ = (id) => document.getElementById(id);
const [main] = document.getElementsByTagName("main");
const tiles = Array.from({ length: SAMPLES }, (_, i) => makeTile(i));

let generator; // A `Generator` or a `Translator`.
let seed = 0;
let walk = { from: 0, to: 1, way: 0 };
let playing = false;
let times = [];
let drawing = 0; // Counts the drawings of the grid, so that a newer one ends the one before.
let photo; // The last one that was opened, for the next file.
let camera; // The stream that is shown, if any.

// Files

async function openFirst() {
  const given = new URLSearchParams(location.search).get("model");
  const path = given ?? "generator.tflite";
  say("Loading…");
  try {
    const answer = await fetch(path);
    if (!answer.ok) {
      throw new Error(`${answer.status} ${answer.statusText}`);
    }
    await open(path.split("/").pop(), await answer.arrayBuffer());
  } catch (error) {
    say(given ? `${given} could not be loaded (${error.message}). ${INVITATION}` : INVITATION, given);
  }
}

async function open(name, buffer) {
  say(`Loading ${name}…`);
  let opened;
  try {
    opened = await load(new Uint8Array(buffer));
  } catch (error) {
    console.error(error);
    say(`${name}: ${error.message}`, true);
    return;
  }
  play(false);
  stopCamera();
  generator?.delete();
  generator = opened;
  drawing++;
  const translates = generator instanceof Translator;
  $("name").textContent = document.title = name;
  $("about").textContent =
    `${translates ? `${describe(generator.source)} to ` : ""}${describe(generator)}` +
    `${translates ? "" : ` from ${generator.latentDim} numbers`}, ` +
    `${size(buffer.byteLength)}. Runs in this browser, on ${generator.accelerator}; ` +
    `nothing leaves your computer.`;
  $("samples-section").hidden = translates;
  $("walk-section").hidden = !generator.walks;
  $("translation-section").hidden = !translates;
  times = [];
  say("");
  main.hidden = false;
  await (translates ? startTranslation() : startGeneration());
}

function describe({ height, width, channels }) {
  return `${width} × ${height} ${channels === 1 ? "grey" : "colour"} images`;
}

function size(bytes) {
  return bytes < 1e5 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

async function openPhoto(file) {
  stopCamera();
  try {
    photo = await createImageBitmap(file);
  } catch {
    say(`${file.name} is no picture that this browser can read.`, true);
    return;
  }
  say("");
  await translate(photo);
}

function say(text, wrong = false) {
  $("message").textContent = text;
  $("message").classList.toggle("wrong", Boolean(wrong));
}

// Pictures

function makeTile(i) {
  const button = document.createElement("button");
  const canvas = document.createElement("canvas");
  const caption = document.createElement("span");
  button.type = "button";
  button.append(canvas, caption);
  button.addEventListener("click", () => startWalk(walk.to, seed + i));
  const item = document.createElement("li");
  item.append(button);
  $("grid").append(item);
  return { button, canvas, caption };
}

async function show(canvas, makeImage) {
  const current = generator; // Another file may be opened meanwhile.
  const start = performance.now();
  const values = await makeImage(current, Number($("label").value));
  times = [performance.now() - start, ...times].slice(0, SAMPLES);
  canvas.getContext("2d").putImageData(current.toImageData(values), 0, 0);
}

function speed() {
  return `${times.toSorted((a, b) => a - b)[times.length >> 1].toFixed(1)} ms per image`;
}

// Samples and walks

async function startGeneration() {
  const { height, width } = generator;
  $("label").replaceChildren(...Array.from({ length: generator.classes }, (_, i) => new Option(i)));
  $("label-control").hidden = !generator.classes;
  for (const canvas of document.querySelectorAll("#grid canvas, #walk")) {
    Object.assign(canvas, { height, width });
  }
  await draw();
}

async function draw() {
  await Promise.all([drawGrid(), generator.walks && drawWalk()]);
}

async function drawGrid() {
  const mine = ++drawing;
  $("grid").ariaBusy = "true";
  let rested = performance.now();
  for (const [i, { button, canvas, caption }] of tiles.entries()) {
    caption.textContent = seed + i;
    button.disabled = !generator.walks;
    button.setAttribute("aria-label", `Seed ${seed + i}: walk to it`);
    await show(canvas, (current, label) => current.sample(seed + i, label));
    if (performance.now() - rested > 12) {
      await new Promise((resume) => setTimeout(resume));
      rested = performance.now();
    }
    if (mine !== drawing) {
      return;
    }
  }
  $("grid").ariaBusy = "false";
  $("speed").textContent = speed();
}

async function drawWalk() {
  $("way").value = walk.way;
  $("walk-ends").textContent = `from seed ${walk.from} to ${walk.to}`;
  $("walk").setAttribute("aria-label", `Sample on the way from seed ${walk.from} to ${walk.to}`);
  await show($("walk"), (current, label) =>
    current.generate(current.between(current.latent(walk.from), current.latent(walk.to), walk.way), label),
  );
}

// Translations

async function startTranslation() {
  const { height, width } = generator;
  Object.assign($("after"), { height, width });
  $("translation-speed").textContent = "";
  $("pair").hidden = true;
  if (photo) {
    await translate(photo);
  }
}

async function translate(picture) {
  const pixels = generator.draw($("before"), picture);
  await show($("after"), (current) => current.translate(pixels));
  $("translation-speed").textContent = speed();
  $("pair").hidden = false;
}

async function startCamera() {
  const current = generator;
  const video = document.createElement("video");
  let stream;
  Object.assign(video, { muted: true, playsInline: true });
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    console.error(error);
    say(`The camera can't be used: ${error.message}.`, true);
    return;
  }
  stopCamera();
  camera = stream;
  if (generator !== current) {
    stopCamera(); // Another file was opened while the browser asked for permission.
    return;
  }
  say("");
  $("camera").textContent = "Stop the camera";
  while (camera === stream) {
    await translate(video);
    await new Promise(requestAnimationFrame);
  }
}

function stopCamera() {
  for (const track of camera?.getTracks() ?? []) {
    track.stop();
  }
  camera = undefined;
  $("camera").textContent = "Use the camera";
}

// Controls

function setSeed(value) {
  seed = Math.min(Math.max(Math.trunc(value) || 0, 0), Number($("seed").max));
  $("seed").value = $("seed-slider").value = seed;
  drawGrid();
}

function startWalk(from, to) {
  walk = { from, to, way: 0 };
  $("walk").scrollIntoView({ block: "nearest", behavior: "smooth" });
  play(true);
}

function play(on) {
  const wasPlaying = playing;
  playing = on;
  $("play").textContent = on ? "Pause" : "Play";
  if (on && !wasPlaying) {
    let last = performance.now();
    requestAnimationFrame(async function step(now) {
      if (!playing) {
        return;
      }
      walk.way += Math.max(0, now - last) / 1000 / SECONDS_PER_WALK;
      last = now;
      if (walk.way >= 1) {
        walk = { from: walk.to, to: walk.to + 1, way: 0 };
      }
      await drawWalk();
      requestAnimationFrame(step);
    });
  }
}

$("seed-slider").addEventListener("input", (event) => setSeed(event.target.valueAsNumber));
$("seed").addEventListener("change", (event) => setSeed(event.target.valueAsNumber));
$("label").addEventListener("input", draw);
$("play").addEventListener("click", () => play(!playing));
$("way").addEventListener("input", (event) => {
  play(false);
  walk.way = event.target.valueAsNumber;
  drawWalk();
});
$("camera").addEventListener("click", () => (camera ? stopCamera() : startCamera()));
for (const input of [$("file"), $("photo")]) {
  input.addEventListener("change", async () => {
    const [file] = input.files;
    input.value = ""; // So that the same file, mended, can be chosen again.
    await take(file);
  });
}
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  await take(event.dataTransfer.files[0]);
});

async function take(file) {
  if (file && generator instanceof Translator && !file.name.endsWith(".tflite")) {
    await openPhoto(file);
  } else if (file) {
    await open(file.name, await file.arrayBuffer());
  }
}

openFirst();
