"use strict";
// Data from the server is inserted as text, never as HTML.

const STATE_MS = 250;
const HOLD_AFTER_MS = 450; // a longer press takes several pictures
const BURST_MS = 250;
let labels = [];
let held = null; // the press that lasts, or null

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// One picture at once; while the press lasts, more of them at a bounded rate.
async function press(label) {
  const mine = { label };
  held = mine;
  await take(label, true);
  await wait(HOLD_AFTER_MS);
  while (held === mine) {
    const began = performance.now();
    if (!await take(label, false)) break;
    await wait(Math.max(0, BURST_MS - (performance.now() - began)));
  }
}

function release() { held = null; }

async function take(label, first) {
  const button = [...byId("classes").children].find((item) => item.dataset.label === label);
  const answer = await request("/collect/take", { label, first });
  if (!answer) return false;
  const isStored = answer.result === "stored";
  if (isStored && navigator.userActivation?.hasBeenActive) navigator.vibrate?.(15);
  if (button) flash(button, isStored ? "stored" : "repeated");
  say(isStored ? `Stored as ${label}` : "Not stored: nearly the same as the last picture");
  refresh();
  return true;
}

function flash(button, kind) {
  button.classList.remove("stored", "repeated");
  void button.offsetWidth; // restarts the animation
  button.classList.add(kind);
}

function classButton(label, index) {
  const button = element("button", "class");
  button.type = "button";
  button.dataset.label = label;
  if (index < FIRST_KEYS) {
    button.setAttribute("aria-keyshortcuts", String(index + 1));
    const key = element("kbd", "", String(index + 1));
    key.setAttribute("aria-hidden", "true");
    button.append(key);
  }
  const track = element("span", "track");
  track.append(element("span", "fill"));
  button.append(element("span", "name", label), element("span", "count", "0"), element("span", "spoken", "pictures"), track);
  button.onpointerdown = (event) => { if (event.button === 0) press(label); };
  for (const kind of ["pointerup", "pointercancel", "pointerleave"]) button.addEventListener(kind, release);
  button.onkeydown = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (!event.repeat) press(label);
  };
  button.onkeyup = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    release();
  };
  // A screen reader's click, which has neither a pointer nor a key.
  button.onclick = (event) => { if (event.detail === 0 && event.pointerType === "") press(label).then(release); };
  button.oncontextmenu = (event) => event.preventDefault(); // a long press on a phone
  return button;
}

function showClasses(classes) {
  const names = classes.map((item) => item.label);
  if (names.join("\n") !== labels.join("\n")) {
    labels = names;
    byId("classes").replaceChildren(...names.map(classButton));
  }
  const most = Math.max(1, ...classes.map((item) => item.count));
  classes.forEach((item, index) => {
    const button = byId("classes").children[index];
    button.querySelector(".count").textContent = item.count.toLocaleString();
    button.querySelector(".fill").style.width = `${100 * item.count / most}%`;
  });
}

function shot(picture) {
  const item = element("li");
  const caption = `${picture.label}, ${timeOf(picture.name)}`;
  const path = `${encodeURIComponent(picture.label)}/${picture.name}`;
  item.dataset.name = picture.name;
  const look = element("button", "look");
  look.type = "button";
  look.setAttribute("aria-label", `Look at ${caption}`);
  const image = element("img");
  image.alt = "";
  image.src = `/collect/thumbnail/${path}`;
  look.append(image);
  look.onclick = () => showPicture(`/collect/picture/${path}`, caption);
  look.onkeydown = (event) => { if (event.key === "Delete") remove(picture); };
  const drop = element("button", "drop-shot", "Delete");
  drop.type = "button";
  drop.setAttribute("aria-label", `Delete ${caption}`);
  drop.onclick = () => remove(picture);
  item.append(look, element("span", "name", picture.label), drop);
  return item;
}

function showStrip(pictures, isByModel) {
  const before = new Map([...byId("strip").children].map((item) => [item.dataset.name, item]));
  const wanted = pictures.map((picture) => before.get(picture.name) || shot(picture));
  const now = [...byId("strip").children];
  if (wanted.length !== now.length || wanted.some((item, index) => item !== now[index])) {
    byId("strip").replaceChildren(...wanted);
  }
  byId("no-strip").hidden = pictures.length > 0;
  byId("strip-title").textContent = isByModel ? "Last pictures, those first of which the model is least sure" : "Last pictures";
}

async function remove(picture) {
  if (await request("/collect/delete", { label: picture.label, name: picture.name })) say("Deleted");
  refresh();
}

async function undo() {
  const answer = await request("/collect/undo", {});
  if (answer) say(answer.pictures.length ? `Taken back: ${answer.pictures.length}` : "Nothing to take back");
  refresh();
}

function showState(state) {
  byId("title").textContent = state.title;
  document.title = `${state.title} · Collect`;
  byId("logout").hidden = !state.can_log_out;
  if (state.is_live) setStatus("live", "Live");
  else if (state.frame === null && !state.problem) setStatus("waiting", "Waiting for the camera");
  else setStatus("stale", state.problem ? `No frames: ${state.problem}` : "No frames");
  showClasses(state.labels);
  showRegion(state.roi, state.frame_size);
  showFrame(state.frame);
  showStrip(state.latest, state.guess !== null);
  byId("undo").disabled = !state.can_undo;
  byId("guess").hidden = state.guess === null;
  if (state.guess) byId("guess").textContent = `The model says ${state.guess.label} ${percent(state.guess.score)}`;
  byId("repeated").textContent = state.repeated ? `${state.repeated.toLocaleString()} near-repeats were not stored` : "";
}

async function refresh() {
  const response = await fetch("/collect/state").catch(() => null);
  if (response && response.status === 401) location.assign("/login");
  else if (response && response.ok) showState(await response.json());
  else setStatus("offline", "Reconnecting");
}

document.addEventListener("keydown", (event) => {
  if (isUndoKey(event)) {
    event.preventDefault();
    undo();
    return;
  }
  const index = isTyping(event) || event.repeat ? -1 : "123456789".indexOf(event.key);
  if (index >= 0 && index < labels.length && !byId("viewer").open) press(labels[index]);
});
document.addEventListener("keyup", release);
window.addEventListener("blur", release);
document.addEventListener("visibilitychange", release);
byId("undo").onclick = undo;
(async () => {
  for (;;) {
    if (!document.hidden) await refresh();
    await wait(STATE_MS);
  }
})();
