"use strict";
// The raters' page. The server knows where a rater is; this shows it, and sends one answer at a
// time, again and again until the server says that it is on the disk.

const at = (id) => document.getElementById(id);
const PAUSE = 350; // milliseconds after a new question, in which a double tap counts for nothing
let state = null; // what the server says: the question, its images, how far the rater is
let start = 0; // when the question was there with all its images
let isOpen = false; // whether an answer is taken
let isWelcome = true; // whether the introduction is shown
let gallery = [], position = 0; // the images of the set that is enlarged, and which of them

// Talking with the server ------------------------------------------------------------------------

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function trouble(words) {
  at("trouble").textContent = words;
  at("trouble").hidden = !words;
}

async function call(address, body) {
  const headers = { "Content-Type": "application/json" };
  const request = body && { method: "POST", headers, body: JSON.stringify(body) };
  for (let pause = 500; ; pause = Math.min(2 * pause, 8000)) {
    try {
      const reply = await fetch(address, request);
      if (reply.ok) {
        trouble("");
        return await reply.json();
      }
      if (reply.status < 500) {
        trouble(`This did not work (${reply.status}). Please open your link again.`);
        return null;
      }
    } catch { /* no connection */ }
    trouble((body ? "Not saved yet: no connection." : "No connection.") + " Trying again …");
    await wait(pause);
  }
}

async function choose(number) {
  const button = at("answers").children[number];
  if (!isOpen || !button) return;
  isOpen = false;
  button.classList.add("chosen");
  const seconds = (performance.now() - start) / 1000;
  show(await call("answer", { step: state.step, answer: number, seconds }));
}

async function undo() {
  if (!state || !state.step || (!isOpen && state.question)) return;
  isOpen = false;
  show(await call("undo", { step: state.step - 1 }));
}

// Showing ----------------------------------------------------------------------------------------

function node(tag, text = "", name = "") {
  const item = document.createElement(tag);
  item.textContent = text;
  item.className = name;
  return item;
}

function show(next) {
  if (!next) return;
  const before = state && !isWelcome ? JSON.stringify(state.sets) : "";
  state = next;
  const isDone = !state.question;
  if (state.step) isWelcome = false;
  const isWork = !isDone && !isWelcome;
  at("progress").setAttribute("aria-valuemax", state.steps);
  at("progress").setAttribute("aria-valuenow", state.step);
  at("progress").firstElementChild.style.width = `${(100 * state.step) / state.steps}%`;
  at("count").textContent = `${Math.min(state.trial + 1, state.trials)} of ${state.trials}`;
  at("undo").hidden = !state.step;
  at("help").hidden = at("work").hidden = !isWork;
  at("rest").hidden = isWork;
  if (isDone) rest("Thank you.", ["All your answers are saved. You can close this page."]);
  else if (isWelcome) rest("Rate images", [...state.instructions, WAYS], "Begin");
  else {
    if (before !== JSON.stringify(state.sets)) pictures();
    ask();
  }
}

const WAYS = "Tap an image to enlarge it. Every answer is saved at once: you can stop at any time, and "
  + "open the same link again to go on. With a keyboard: 1, 2, 3, or the arrows and Enter; U takes the "
  + "last answer back.";

function rest(title, words, button = "") {
  at("title").textContent = title;
  at("words").replaceChildren(...words.map((each) => node("p", each, each === WAYS ? "soft" : "")));
  at("go").textContent = button;
  at("go").hidden = !button;
  at("go").focus();
}

function pictures() {
  const isPair = state.sets.length > 1;
  const isSingle = isPair && state.sets.every((each) => each.length === 1);
  at("sets").className = isSingle ? "pair single" : isPair ? "pair" : "";
  at("sets").replaceChildren(...state.sets.map((addresses, side) => {
    const figure = node("figure", "", isPair ? "ab"[side] : "");
    if (isPair) figure.append(node("figcaption", "AB"[side]));
    const grid = node("div", "", "grid");
    const columns = Math.min(4, addresses.length);
    grid.style.setProperty("--columns", columns);
    grid.style.setProperty("--rows", Math.ceil(addresses.length / columns));
    addresses.forEach((address, place) => grid.append(picture(addresses, address, place)));
    figure.append(grid);
    return figure;
  }));
  for (const address of state.next) new Image().src = address;
}

function picture(addresses, address, place) {
  const button = node("button");
  button.setAttribute("aria-label", `enlarge image ${place + 1}`);
  button.addEventListener("click", () => enlarge(addresses, place));
  const image = node("img");
  image.alt = "";
  image.decoding = "async";
  image.addEventListener("load", () => {
    trouble("");
    image.classList.add("there");
    ready();
  });
  image.addEventListener("error", () => {
    trouble("An image does not load. Trying again …");
    setTimeout(() => { image.src = address; }, 2000);
  });
  image.src = address;
  button.append(image);
  return button;
}

function ask() {
  const [before, caption, after] = state.question;
  const words = caption ? [before, node("b", `“${caption}”`), after] : [before];
  at("question").replaceChildren(...words);
  at("hint").textContent = state.hint;
  const isScale = state.answers.length > 5;
  at("answers").className = state.sets.length > 1 ? "sides" : "";
  at("answers").style.setProperty("--columns", isScale ? 5 : state.answers.length > 3 ? 2 : state.answers.length);
  at("answers").replaceChildren(...state.answers.map((words, number) => {
    const button = node("button");
    if (!isScale) button.append(node("kbd", number + 1));
    button.append(words);
    button.disabled = true;
    button.addEventListener("click", () => choose(number));
    return button;
  }));
  start = performance.now();
  ready();
}

function ready() {
  const images = [...at("sets").querySelectorAll("img")];
  const isThere = images.every((each) => each.classList.contains("there"));
  if (!state.question || isOpen || !isThere) return;
  const left = PAUSE - (performance.now() - start);
  if (left > 0) {
    setTimeout(ready, left + 1);
    return;
  }
  isOpen = true;
  for (const button of at("answers").children) button.disabled = false;
}

// Enlarging --------------------------------------------------------------------------------------

function enlarge(addresses, place) {
  gallery = addresses;
  turn(place);
  if (!at("large").open) at("large").showModal();
}

function turn(place) {
  position = (place + gallery.length) % gallery.length;
  at("large").querySelector("img").src = gallery[position];
  at("which").textContent = `${position + 1} of ${gallery.length}`;
  for (const id of ["before", "after", "which"]) at(id).hidden = gallery.length < 2;
}

// Keys and taps ----------------------------------------------------------------------------------

function move(step) {
  const buttons = [...at("answers").children];
  const now = buttons.indexOf(document.activeElement);
  const first = step < 0 ? 0 : buttons.length - 1;
  const next = now < 0 ? first : Math.min(Math.max(now + step, 0), buttons.length - 1);
  buttons[next]?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isLarge = at("large").open;
  if (at("work").hidden && event.key.toLowerCase() !== "u") return;
  const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  if (step && isLarge) turn(position + step);
  else if (step) move(step);
  else if (isLarge) return;
  else if (/^[0-9]$/.test(event.key)) choose((Number(event.key) + 9) % 10);
  else if (event.key.toLowerCase() === "u") undo();
  else return;
  event.preventDefault();
});

let touch = null;
at("large").addEventListener("touchstart", (event) => { touch = event.changedTouches[0].clientX; });
at("large").addEventListener("touchend", (event) => {
  const way = event.changedTouches[0].clientX - touch;
  if (Math.abs(way) > 40) turn(position + (way < 0 ? 1 : -1));
});
at("large").querySelector("img").addEventListener("click", () => at("large").close());
at("close").addEventListener("click", () => at("large").close());
at("before").addEventListener("click", () => turn(position - 1));
at("after").addEventListener("click", () => turn(position + 1));
at("undo").addEventListener("click", undo);
at("help").addEventListener("click", () => {
  at("work").hidden = at("help").hidden = true;
  at("rest").hidden = false;
  rest("How it works", [...state.instructions, WAYS], "Go on");
});
at("go").addEventListener("click", () => {
  const isFirst = isWelcome;
  isWelcome = false;
  at("rest").hidden = true;
  at("work").hidden = at("help").hidden = false;
  if (isFirst) {
    pictures();
    ask();
  }
});

call("state").then(show);
