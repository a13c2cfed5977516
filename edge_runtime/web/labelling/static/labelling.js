"use strict";
// What the pages for collecting and reviewing share. Data from the server is inserted as text, never as HTML.

const MESSAGE_MS = 6000;
const FIRST_KEYS = 9; // classes that have a digit as their key
let messageTimer = 0;

// An error stays until the next message; a screen reader speaks both.
function say(text, isProblem = false) {
  clearTimeout(messageTimer);
  byId("message").textContent = text;
  byId("message").classList.toggle("problem", isProblem);
  if (text && !isProblem) messageTimer = setTimeout(() => say(""), MESSAGE_MS);
}

// Returns the server's answer, or null after it has shown why there is none.
async function request(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  try {
    const response = await fetch(path, options);
    if (response.status === 401) location.assign("/login");
    const answer = await response.json();
    if (response.ok) return answer;
    say(answer.error, true);
  } catch (problem) {
    say("The server does not answer.", true);
  }
  return null;
}

// The time of capture in a picture's name, in the browser's time zone.
function timeOf(name) {
  const [, year, month, day, hour, minute, second] = name.match(/^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/) || [];
  const at = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  return Number.isNaN(at.getTime()) ? name : at.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

function showPicture(address, caption) {
  byId("viewer-picture").src = address;
  byId("viewer-picture").alt = caption;
  byId("viewer-caption").textContent = caption;
  byId("viewer").showModal();
}

function isTyping(event) {
  return event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
}

function isUndoKey(event) {
  const withControl = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
  return withControl || (!isTyping(event) && event.key.toLowerCase() === "u");
}

byId("viewer-close").onclick = () => byId("viewer").close();
byId("viewer").onclick = (event) => { if (event.target === byId("viewer")) byId("viewer").close(); };
