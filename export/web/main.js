import { Generator } from "./generator.js";

const SAMPLES = 24;
const SECONDS_PER_WALK = 3;
const INVITATION = "Open a .tflite file that keras_gan exported, or drop one here.";

const $ = (id) => document.getElementById(id);
const [main] = document.getElementsByTagName("main");
const tiles = Array.from({ length: SAMPLES }, (_, i) => makeTile(i));

let generator;
let seed = 0;
let walk = { from: 0, to: 1, way: 0 };
let playing = false;
let times = [];
let drawing = 0; // Counts the drawings of the grid, so that a newer one ends the one before.

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
    opened = await Generator.load(new Uint8Array(buffer));
  } catch (error) {
    console.error(error);
    say(`${name}: ${error.message}`, true);
    return;
  }
  play(false);
  generator?.delete();
  generator = opened;
  const { height, width, channels, latentDim } = generator;
  $("name").textContent = document.title = name;
  $("about").textContent =
    `${width} × ${height} ${channels === 1 ? "grey" : "colour"} images from ${latentDim} numbers, ` +
    `${(buffer.byteLength / 1e6).toFixed(1)} MB. Runs in this browser, on ${generator.accelerator}; ` +
    `nothing leaves your computer.`;
  $("label").replaceChildren(...Array.from({ length: generator.classes }, (_, i) => new Option(i)));
  $("label-control").hidden = !generator.classes;
  $("walk-section").hidden = !generator.walks;
  for (const canvas of document.getElementsByTagName("canvas")) {
    Object.assign(canvas, { height, width });
  }
  times = [];
  say("");
  main.hidden = false;
  await draw();
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
  const median = times.toSorted((a, b) => a - b)[times.length >> 1];
  $("grid").ariaBusy = "false";
  $("speed").textContent = `${median.toFixed(1)} ms per image`;
}

async function drawWalk() {
  $("way").value = walk.way;
  $("walk-ends").textContent = `from seed ${walk.from} to ${walk.to}`;
  $("walk").setAttribute("aria-label", `Sample on the way from seed ${walk.from} to ${walk.to}`);
  await show($("walk"), (current, label) =>
    current.generate(current.between(current.latent(walk.from), current.latent(walk.to), walk.way), label),
  );
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
$("file").addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  target.value = ""; // So that the same file, mended, can be chosen again.
  if (file) {
    await open(file.name, await file.arrayBuffer());
  }
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) {
    await open(file.name, await file.arrayBuffer());
  }
});

openFirst();
