"use strict";
// Everything that comes from outside is set as text, never as markup.

const at = (id) => document.getElementById(id);
const STALE_MS = 3000; // without a decision, or without a message from the server
const RETRY_MS = 3000;
const MOST_EVENTS = 100;
const STAGES = { decode: "Decode", preprocess: "Resize", inference: "Inference", age: "Capture to decision" };

let heardAt = 0;
let shownFrame = null;
let pictureLoading = false;

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function percent(score) {
  return `${(score * 100).toFixed(score > 0.9995 || score < 0.0005 ? 0 : 1)}\u00a0%`;
}

function duration(ms) {
  if (ms < 1000) return [ms.toFixed(ms < 10 ? 1 : 0), "ms"];
  if (ms < 100_000) return [(ms / 1000).toFixed(1), "s"];
  return [Math.round(ms / 60_000).toString(), "min"];
}

function setValue(id, value, unit) {
  at(id).replaceChildren(value, ...(unit ? [" ", element("small", "", unit)] : []));
}

// Rows are changed in place, so that their bars move smoothly and a reader's focus stays.
function drawBars(list, top) {
  while (list.children.length > top.length) list.lastChild.remove();
  top.forEach((item, index) => {
    let row = list.children[index];
    if (!row) {
      row = element("li", index === 0 ? "first" : "");
      const track = element("span", "track");
      track.append(element("span", "fill"));
      row.append(element("span", "name"), element("span", "percent"), track);
      list.append(row);
    }
    row.querySelector(".name").textContent = item.label;
    row.querySelector(".percent").textContent = percent(item.score);
    row.querySelector(".fill").style.width = `${item.score * 100}%`;
  });
}

function drawLatency(latency) {
  const rows = Object.entries(STAGES).map(([stage, name]) => {
    const row = element("tr");
    row.append(element("td", "", name));
    for (const key of ["p50", "p90", "p99"]) {
      const value = latency[stage] && latency[stage][key];
      row.append(element("td", "", value === null || value === undefined ? "–" : value.toFixed(1)));
    }
    return row;
  });
  at("latency").replaceChildren(...rows);
}

function showPicture(frame) {
  if (pictureLoading || frame === shownFrame || document.hidden) return;
  pictureLoading = true;
  shownFrame = frame;
  at("picture").src = `/picture.jpg?frame=${frame}`;
}

function setStatus(kind, text) {
  at("status").className = `status ${kind}`;
  at("status").textContent = text;
  document.body.classList.toggle("old", kind !== "live");
}

function showState(state) {
  heardAt = performance.now();
  const prediction = state.prediction;
  setValue("temperature", state.temperature_c === null ? "–" : state.temperature_c.toFixed(0), state.temperature_c === null ? "" : "°C");
  at("temperature").classList.toggle("hot", Boolean(state.throttling && state.throttling.length));
  at("temperature").title = state.throttling ? state.throttling.join(", ") : "";
  drawLatency(state.latency_ms);
  if (!prediction) {
    setStatus("waiting", "Waiting for the camera");
    return;
  }
  const stale = state.since_ms > STALE_MS;
  setStatus(stale ? "stale" : "live", stale ? `No fresh frame for ${duration(state.since_ms).join(" ")}` : "Live");
  at("label").textContent = prediction.stable;
  // The label is decided over frames; a frame with another label has no score for it.
  at("score").textContent = prediction.label === prediction.stable ? percent(prediction.score) : "";
  drawBars(at("bars"), prediction.top);
  setValue("fps", state.fps === null || stale ? "–" : state.fps.toFixed(1));
  setValue("age", ...duration(prediction.age_ms));
  setValue("since", ...duration(state.since_ms));
  setValue("dropped", state.dropped.toLocaleString());
  at("source").hidden = false;
  at("source").textContent = `Frame ${prediction.frame.toLocaleString()} · ${prediction.source}`;
  showPicture(prediction.frame);
}

function describe(event) {
  const long = event.duration_s ? duration(event.duration_s * 1000).join(" ") : "";
  switch (event.event) {
    case "entered": return [`${event.label} entered`, percent(event.score)];
    case "left": return [`${event.label} left`, `after ${long}, best ${percent(event.score)}`];
    case "recovered": return ["Camera is back", long ? `after ${long}` : event.detail];
    case "stalled": return ["Camera stalled", event.detail];
    default: return ["Camera lost", event.detail];
  }
}

function addEvent(event) {
  at("no-events").hidden = true;
  const row = element("li", event.event);
  const shot = element(event.picture ? "img" : "span", "shot");
  if (event.picture) {
    shot.alt = "";
    shot.loading = "lazy";
    shot.src = `/events/${event.number}.jpg`;
  }
  const [what, more] = describe(event);
  const text = element("div");
  text.append(element("div", "what", what), element("div", "more", more));
  const when = new Date(event.at * 1000);
  const time = element("time", "", when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }));
  time.dateTime = when.toISOString();
  time.title = when.toLocaleString();
  row.append(shot, text, time);
  at("events").prepend(row);
  if (at("events").children.length > MOST_EVENTS) at("events").lastChild.remove();
}

function hello(server) {
  at("title").textContent = server.title;
  document.title = `${server.title} · Edgewise`;
  at("model").textContent = `${server.artifact} on ${server.backend}`;
  at("events").replaceChildren(); // the server sends all events that it has kept
  at("no-events").hidden = false;
}

function connect() {
  const stream = new EventSource("/events");
  stream.addEventListener("hello", (message) => hello(JSON.parse(message.data)));
  stream.addEventListener("state", (message) => showState(JSON.parse(message.data)));
  stream.addEventListener("event", (message) => addEvent(JSON.parse(message.data)));
  stream.onerror = () => {
    setStatus("gone", "Reconnecting");
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  };
}

async function classify(file) {
  at("answer").hidden = false;
  at("answer-label").textContent = "…";
  at("answer-score").textContent = "";
  at("answer-note").textContent = "";
  at("answer-bars").replaceChildren();
  URL.revokeObjectURL(at("preview").src);
  at("preview").src = URL.createObjectURL(file);
  try {
    const response = await fetch("/classify", { method: "POST", body: file });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    at("answer-label").textContent = answer.label;
    at("answer-score").textContent = percent(answer.score);
    drawBars(at("answer-bars"), answer.top.slice(0, 3));
    at("answer-note").textContent =
      `decode ${answer.decode_ms.toFixed(1)}, resize ${answer.preprocess_ms.toFixed(1)}, inference ${answer.inference_ms.toFixed(1)} ms`;
  } catch (problem) {
    at("answer-label").textContent = "Not classified";
    at("answer-note").textContent = problem.message;
  }
}

at("picture").onload = () => {
  pictureLoading = false;
  at("picture").hidden = false;
  at("no-picture").hidden = true;
};
at("picture").onerror = () => { pictureLoading = false; };
at("file").onchange = () => {
  if (at("file").files.length) classify(at("file").files[0]);
  at("file").value = "";
};
for (const kind of ["dragover", "dragleave", "drop"]) {
  at("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) classify(event.dataTransfer.files[0]);
  });
}
setInterval(() => {
  if (heardAt && performance.now() - heardAt > STALE_MS) setStatus("gone", "Reconnecting");
}, 1000);
drawLatency({});
connect();
