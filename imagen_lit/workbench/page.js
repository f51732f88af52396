"use strict";
// The page where one draws. The server draws one image after another and remembers what happened;
// this asks for the events and shows them. The form and the mask are stored in the browser.

const at = (id) => document.getElementById(id);
const SIDES = ["A", "B"];
let world = null; // what the server has: stages, recipes, the options of their parts
let recipes = []; // the settings of A and B, by stage
let panes = []; // what is shown of the drawings
let picture = null; // number of the picture below the mask
const awaited = new Set(); // drawings of this window that are not over

// Talking with the server ------------------------------------------------------------------------

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function trouble(words) {
  at("trouble").textContent = words;
  at("trouble").hidden = !words;
  if (words) at("trouble").scrollIntoView({ block: "nearest" });
}

// What the server answers; null where it refuses, after its sentence has been shown.
async function call(address, body) {
  const content = body instanceof Blob ? body : JSON.stringify(body);
  try {
    const reply = await fetch(address, body && { method: "POST", body: content });
    if (reply.ok) return await reply.json();
    const words = await reply.text();
    trouble(words.charAt(0).toUpperCase() + words.slice(1));
  } catch {
    trouble("The server does not answer. Is it still running?");
  }
  return null;
}

// Storing ----------------------------------------------------------------------------------------

const stored = (name) => {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
};

function store(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch { /* no room: then it does not survive a reload */ }
}

function storeForm() {
  const form = { prompt: at("prompt").value, seed: at("seed").value, recipes };
  store("form", { ...form, compare: at("compare").checked, looks: at("looks").checked });
}

function storeMask() {
  store("mask", { picture, strokes: mask.strokes, size: mask.canvas.width, open: !at("easel").hidden });
}

// Small parts ------------------------------------------------------------------------------------

function node(tag, text = "", name = "") {
  const item = document.createElement(tag);
  item.textContent = text;
  item.className = name;
  return item;
}

function button(text, act, name = "") {
  const item = node("button", text, name);
  item.type = "button";
  item.addEventListener("click", act);
  return item;
}

const copy = (value) => JSON.parse(JSON.stringify(value));

// Recipes ----------------------------------------------------------------------------------------

const HIDDEN = ["precision"]; // the command's

function sheets() {
  const sides = at("compare").checked ? SIDES : ["A"];
  at("sheets").replaceChildren(...sides.map((side, number) => {
    const sheet = node("fieldset", "", `sheet side${side}`);
    if (sides.length > 1) sheet.append(node("legend", `Recipe ${side}`));
    for (const stage of Object.keys(world.stages)) sheet.append(stageSheet(number, stage));
    return sheet;
  }));
}

function stageSheet(number, stage) {
  const part = node("div", "", "stage");
  const size = world.stages[stage];
  part.append(node("h3", `${stage} · ${size}×${size}`));
  const settings = recipes[number][stage];
  const keys = Object.keys(settings).filter((key) => !HIDDEN.includes(key));
  const rank = (key) => (key === "steps" ? 0 : key.startsWith("guidance") ? 1 : 2);
  keys.sort((one, other) => rank(one) - rank(other));
  for (const key of keys) part.append(field(number, stage, key));
  return part;
}

function field(number, stage, key) {
  const settings = recipes[number][stage];
  const label = node("label", `${key.replace(".", " ").replace("_", " ")} `);
  const options = world.choices[key];
  const input = document.createElement(options ? "select" : "input");
  input.name = `${SIDES[number]} ${stage} ${key}`;
  if (options) {
    input.append(...Object.keys(options).map((name) => new Option(name.replaceAll("_", " "), name)));
    input.value = settings[key];
    input.addEventListener("change", () => choose(number, stage, key, input.value));
  } else {
    input.inputMode = "decimal";
    input.value = settings[key] ?? "";
    input.placeholder = "none";
    input.addEventListener("input", () => {
      const text = input.value.trim().replace(",", ".");
      settings[key] = text === "" ? null : Number.isFinite(Number(text)) ? Number(text) : text;
      storeForm();
    });
  }
  label.append(input);
  return label;
}

function choose(number, stage, part, option) {
  const settings = recipes[number][stage];
  const weight = settings[`${part}.weight`];
  for (const key of Object.keys(settings)) if (key.startsWith(`${part}.`)) delete settings[key];
  settings[part] = option;
  for (const [name, value] of Object.entries(world.choices[part][option])) {
    settings[`${part}.${name}`] = name === "weight" && weight !== undefined ? weight : value;
  }
  sheets();
  storeForm();
}

const fits = (each) => each && Object.keys(world.stages).every((stage) => each[stage]);

function fill(entry) {
  at("prompt").value = entry.prompt;
  at("seed").value = entry.seed;
  if (fits(entry.recipes)) recipes[0] = copy(entry.recipes);
  sheets();
  storeForm();
}

// A drawing --------------------------------------------------------------------------------------

class Pane {
  constructor(side) {
    this.entry = null;
    this.command = null;
    this.words = [];
    this.seen = []; // the estimates
    this.box = node("figure", "", `pane side${side}`);
    this.title = node("figcaption", side ? `Recipe ${side}` : "");
    this.large = node("img", "", "large");
    this.large.alt = "";
    this.stages = node("div", "", "stages");
    this.small = {};
    for (const [stage, size] of Object.entries(world.stages)) {
      const part = node("div");
      const image = node("img");
      image.alt = `${stage}, not yet drawn`;
      part.append(image, node("small", `${stage} ${size}×${size}`));
      this.small[stage] = image;
      this.stages.append(part);
    }
    this.say = node("p", "waiting …", "say");
    this.say.setAttribute("aria-live", "polite");
    this.notes = node("div", "", "notes");
    this.charts = {};
    this.acts = node("p", "", "row acts");
    this.attention = node("div", "", "words");
    this.box.append(this.title, this.large, this.stages, this.say, this.notes);
    for (const [name, words] of [["hits", "beyond the range, moved by the threshold"],
      ["norm", "how far guidance leads"]]) {
      const chart = node("div", "", "chart");
      const canvas = document.createElement("canvas");
      const caption = node("small", words);
      chart.append(canvas, caption);
      this.charts[name] = { canvas, caption, words };
      this.box.append(chart);
    }
    this.box.append(this.attention, this.acts);
  }

  async follow(drawing) {
    this.drawing = drawing;
    awaited.add(drawing);
    busy();
    for (let after = 0, over = false; !over;) {
      const reply = await fetch(`events/${drawing}?after=${after}`).catch(() => null);
      if (reply && reply.status === 404) {
        this.say.textContent = "This drawing is over; look into the history.";
        break;
      }
      if (!reply || !reply.ok) {
        this.say.textContent = "The server does not answer. Trying again …";
        await wait(1000);
        continue;
      }
      const body = await reply.json();
      for (const event of body.events) this.show(event);
      this.draw();
      after += body.events.length;
      over = body.over;
    }
    awaited.delete(drawing);
    busy();
  }

  show(event) {
    if (event.kind === "begin") {
      this.words = event.words;
      this.command = event.command;
      this.notes.replaceChildren(...event.notes.map((note) => node("p", note)));
    } else if (event.kind === "estimate") {
      this.seen.push(event);
      this.large.src = this.small[event.stage].src = event.picture;
      this.small[event.stage].alt = `${event.stage}, being drawn`;
      const parts = [`${event.stage} ${event.number}${event.of ? ` of ${event.of}` : ""}`];
      parts.push(`${percent(event.hits)} beyond the range`);
      if (event.norm !== null) parts.push(`guidance ${event.norm.toPrecision(2)}`);
      this.say.textContent = parts.join(" · ");
    } else if (event.kind === "image") {
      this.large.src = this.small[event.stage].src = event.picture;
      this.small[event.stage].alt = `${event.stage}, drawn`;
      this.small[event.stage].classList.add("there");
    } else if (event.kind === "done") this.done(event);
    else if (event.kind === "stopped") this.say.textContent = "Stopped.";
    else if (event.kind === "failed") {
      this.say.textContent = event.words;
      this.say.classList.add("bad");
    }
  }

  done({ entry, same }) {
    this.entry = entry;
    const last = Object.keys(this.small).filter((stage) => this.small[stage].classList.contains("there")).pop();
    const address = `picture/${entry}/${last}`;
    this.large.src = address;
    this.large.alt = at("prompt").value;
    this.say.textContent = same === null ? "Drawn." : same
      ? "Drawn again: every pixel is the same."
      : "Drawn again, with other pixels: another machine or version drew the first one.";
    const save = node("a", "Save", "button");
    save.href = address;
    save.download = `${entry}.png`;
    const parts = [button("Paint on it", () => openEasel(entry)), save];
    if (this.command) {
      parts.push(button("Copy the command", async (event) => {
        try {
          await navigator.clipboard.writeText(this.command);
          event.target.textContent = "Copied";
        } catch {
          this.notes.replaceChildren(node("code", this.command));
        }
      }));
    }
    this.acts.replaceChildren(...parts);
    history_();
  }

  draw() {
    const last = this.seen.at(-1);
    if (!last) return;
    const hits = this.seen.map((each) => each.hits), norms = this.seen.map((each) => each.norm);
    this.bars("hits", hits, percent);
    this.bars("norm", norms, (value) => value.toPrecision(2));
    const rows = Object.keys(world.stages).map((stage) => this.seen.findLast((each) => each.stage === stage));
    this.attention.replaceChildren(...rows.filter((each) => each?.attention).map((each) => this.looked(each)));
  }

  looked({ stage, attention }) {
    const most = Math.max(...attention, 1e-9);
    const total = attention.reduce((sum, value) => sum + value, 0);
    const row = node("p");
    this.words.forEach((word, number) => {
      const item = node("span", word);
      item.style.setProperty("--share", attention[number] / most);
      item.title = percent(attention[number]);
      row.append(item);
    });
    row.append(node("small", `${percent(total)} of the attention of ${stage} is on these words`));
    return row;
  }

  bars(name, values, form) {
    const { canvas, caption, words } = this.charts[name];
    const known = values.filter((value) => value !== null);
    canvas.parentElement.hidden = !known.length;
    if (!known.length) return;
    const most = Math.max(...known, 1e-9), ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth || 300, height = 48;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d"), style = getComputedStyle(canvas);
    pen.scale(ratio, ratio);
    const step = Math.min(width / values.length, 24);
    values.forEach((value, number) => {
      const tall = value === null ? 0 : Math.max(1, (value / most) * (height - 2));
      const stage = Object.keys(world.stages).indexOf(this.seen[number].stage);
      pen.fillStyle = style.getPropertyValue(`--stage${stage % 3}`);
      pen.fillRect(number * step, height - tall, Math.max(1, step - 1), tall);
    });
    const newest = values.at(-1) === null ? "" : `, now ${form(values.at(-1))}`;
    caption.textContent = `${words}: at most ${form(most)}${newest}`;
  }
}

const percent = (share) => `${(100 * share).toPrecision(2).replace(/\.0$/, "")}\u00a0%`;

function busy() {
  at("stop").hidden = !awaited.size;
  at("draw").textContent = awaited.size ? "Draw too" : "Draw";
}

const stop = () => call("stop", { drawings: [...awaited] });

function showPanes(drawings) {
  panes = drawings.map((_, number) => new Pane(drawings.length > 1 ? SIDES[number] : ""));
  at("panes").className = panes.length > 1 ? "pair" : "";
  at("panes").replaceChildren(...panes.map((pane) => pane.box));
  store("drawings", drawings);
  panes.forEach((pane, number) => pane.follow(drawings[number]));
}

async function begin(address, bodies) {
  trouble("");
  const drawings = [];
  for (const body of bodies) {
    const reply = await call(address, body);
    if (!reply) break;
    drawings.push(reply.drawing);
  }
  if (!drawings.length) return;
  showPanes(drawings);
  if (matchMedia("(max-width: 60rem)").matches) at("panes").scrollIntoView({ block: "start" });
}

function requests(more = {}) {
  const sides = at("compare").checked ? [0, 1] : [0];
  const seed = at("seed").value.trim();
  return sides.map((side) => ({
    prompt: at("prompt").value, seed: /^\d+$/.test(seed) ? Number(seed) : seed,
    recipes: recipes[side], looks: at("looks").checked, ...more,
  }));
}

function draw() {
  storeForm();
  begin("draw", requests());
}

// The mask ---------------------------------------------------------------------------------------

const mask = new Mask(at("mask"), storeMask);

function openEasel(entry, strokes = []) {
  picture = entry;
  at("below").src = `picture/${entry}/${Object.keys(world.stages).at(-1)}`;
  at("easel").hidden = false;
  mask.strokes = strokes;
  mask.resize(world.size);
  at("radius").max = Math.round(world.size / 4);
  mask.radius = Number(at("radius").value);
  storeMask();
  if (!strokes.length) at("easel").scrollIntoView({ block: "nearest" });
}

function leave() {
  at("easel").hidden = true;
  storeMask();
}

function erase(isErasing) {
  mask.isErasing = isErasing;
  at("brush").setAttribute("aria-pressed", !isErasing);
  at("eraser").setAttribute("aria-pressed", isErasing);
}

function resizeBrush(change) {
  at("radius").value = Number(at("radius").value) + change;
  mask.radius = Number(at("radius").value);
}

function paint() {
  const times = Number(at("times").value);
  begin("draw", requests({ paint: { picture, mask: mask.address(), times } }));
}

// The history ------------------------------------------------------------------------------------

async function history_() {
  const entries = await call("history");
  if (!entries) return;
  at("history").replaceChildren(...entries.map((entry) => {
    const item = node("li");
    const redraw = button("", () => again(entry), "entry");
    const image = node("img");
    image.loading = "lazy";
    image.alt = "";
    image.src = `picture/${entry.entry}/${entry.stages.at(-1)}`;
    const words = entry.prompt || "(without text)";
    redraw.append(image, node("span", words), node("small", `seed ${entry.seed}${entry.painted ? " · painted" : ""}`));
    redraw.title = entry.difference || "draw it again";
    redraw.setAttribute("aria-label", `draw again: ${words}, seed ${entry.seed}`);
    redraw.classList.toggle("foreign", Boolean(entry.difference));
    item.append(redraw);
    if (entry.stages.at(-1) === Object.keys(world.stages).at(-1)) {
      item.append(button("Paint", () => openEasel(entry.entry), "quiet"));
    }
    return item;
  }));
}

function again(entry) {
  fill(entry);
  begin("again", [{ entry: entry.entry, looks: at("looks").checked }]);
}

async function openFile(file) {
  if (!file) return;
  trouble("");
  const entry = await call("open", file);
  if (!entry) return;
  fill(entry);
  await history_();
  if (entry.difference) trouble(`This image can be seen, but not drawn again: ${entry.difference}`);
}

// Keys and taps ----------------------------------------------------------------------------------

function key(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return draw() || true;
  if (event.key === "Escape") return awaited.size ? stop() : leave() || true;
  const isOpen = !at("easel").hidden;
  const isUndo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey);
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== "range") return false;
  if (isUndo && isOpen) return mask.undo() || true;
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.target === mask.canvas && step) return mask.step(...step) || true;
  if (event.target === mask.canvas && event.key === " ") {
    mask.step(0, 0);
    mask.dab(mask.place);
    return mask.end() || true;
  }
  const letter = event.key.toLowerCase();
  if (letter === "n") return dice() || true;
  if (letter === "p" && panes[0]?.entry) return openEasel(panes[0].entry) || true;
  if (!isOpen) return false;
  if (letter === "u") return mask.undo() || true;
  if (letter === "b" || letter === "e") return erase(letter === "e") || true;
  if (letter === "[" || letter === "]") return resizeBrush(letter === "]" ? 4 : -4) || true;
  return false;
}

function dice() {
  at("seed").value = Math.floor(Math.random() * 1e6);
  storeForm();
}

document.addEventListener("keydown", (event) => { if (key(event)) event.preventDefault(); });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  openFile(event.dataTransfer.files[0]);
});
at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  draw();
});
for (const id of ["prompt", "seed"]) at(id).addEventListener("input", storeForm);
at("looks").addEventListener("change", storeForm);
at("compare").addEventListener("change", () => {
  if (at("compare").checked) at("recipes").open = true;
  sheets();
  storeForm();
});
at("usual").addEventListener("click", () => {
  recipes = SIDES.map(() => copy(world.recipes));
  sheets();
  storeForm();
});
at("dice").addEventListener("click", dice);
at("stop").addEventListener("click", stop);
at("brush").addEventListener("click", () => erase(false));
at("eraser").addEventListener("click", () => erase(true));
at("radius").addEventListener("input", () => resizeBrush(0));
at("undo").addEventListener("click", () => mask.undo());
at("clear").addEventListener("click", () => mask.clear());
at("paint").addEventListener("click", paint);
at("leave").addEventListener("click", leave);
at("open").addEventListener("change", () => {
  openFile(at("open").files[0]).finally(() => { at("open").value = ""; });
});

async function start() {
  world = await call("state");
  if (!world) return;
  const form = stored("form") || {};
  recipes = SIDES.map((_, side) => copy(fits(form.recipes?.[side]) ? form.recipes[side] : world.recipes));
  at("prompt").value = form.prompt ?? "";
  at("seed").value = form.seed ?? 0;
  at("compare").checked = form.compare ?? false;
  at("looks").checked = form.looks ?? false;
  sheets();
  await history_();
  const before = stored("mask");
  if (before && before.open && before.size === world.size) openEasel(before.picture, before.strokes);
  const drawings = stored("drawings");
  if (stored("token") === location.pathname && drawings) showPanes(drawings);
  store("token", location.pathname);
  document.body.classList.add("ready");
}

start();
