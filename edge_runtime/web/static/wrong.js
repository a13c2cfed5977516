"use strict";
// "That was wrong": gives the frame of an event, if it was kept, the right label.

const keptFrames = new Map(); // the names of kept frames of this run, by their numbers
const MAX_KEPT = 500;
const MOST_ANSWERS = 20; // the review page has all of them
let answers = []; // the labels that can be given

async function send(path, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, options).catch(() => null);
  if (response && response.status === 401) location.assign("/login");
  const answer = response ? await response.json().catch(() => ({})) : {};
  return response && response.ok ? answer : { error: answer.error || "The server does not answer." };
}

function noteKept(kept) {
  keptFrames.set(kept.frame, kept.name);
  if (keptFrames.size > MAX_KEPT) keptFrames.delete(keptFrames.keys().next().value);
  for (const row of byId("events").children) offerCorrection(row);
}

// A row whose frame was kept gets the button once.
function offerCorrection(row) {
  const name = keptFrames.get(Number(row.dataset.frame));
  if (!name || !answers.length || row.querySelector(".correction")) return;
  const place = element("div", "correction");
  row.querySelector(".what").after(place);
  offer(place, row.dataset.about, name);
}

function offer(place, label, name) {
  const button = element("button", "quiet", "That was wrong");
  button.type = "button";
  button.onclick = () => ask(place, label, name);
  place.replaceChildren(button);
}

function ask(place, label, name) {
  const shown = answers.filter((answer, index) => answer !== label && (index < MOST_ANSWERS || index === answers.length - 1));
  const buttons = shown.map((answer) => {
    const button = element("button", "quiet", answer);
    button.type = "button";
    button.onclick = () => correct(place, label, name, answer);
    return button;
  });
  const cancel = element("button", "quiet", "Cancel");
  cancel.type = "button";
  cancel.onclick = () => offer(place, label, name);
  place.replaceChildren(element("span", "", "It was"), ...buttons, cancel);
  (buttons[0] || cancel).focus();
}

async function correct(place, label, name, answer) {
  const result = await send("/review/decide", { names: [name], action: "label", label: answer });
  const isMoved = Boolean(result.moved && name in result.moved);
  const problem = result.error || "The frame was deleted to make room, or is not there any more";
  place.replaceChildren(element("span", "", isMoved ? `Labelled ${answer}` : problem));
  if (!isMoved) return;
  const change = element("button", "quiet", "Change");
  change.type = "button";
  change.onclick = () => ask(place, label, name);
  place.append(change);
  change.focus();
}

async function startCorrections() {
  byId("review").hidden = false;
  const response = await fetch("/review/groups").catch(() => null);
  if (!response || !response.ok) return;
  answers = (await response.json()).labels;
  for (const row of byId("events").children) offerCorrection(row);
}
