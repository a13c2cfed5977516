"use strict";
// Data from the server is inserted as text, never as HTML.

const byId = (id) => document.getElementById(id);
const STALE_MS = 3000; // time without a decision, or without a message from the server
const RETRY_MS = 3000;
const MAX_EVENTS = 100;
const STAGES = { decode: "Decode", preprocess: "Resize", inference: "Inference", age: "Capture to decision" };

let lastMessageAt = 0;
let shownFrame = null;
let pictureLoading = false;

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
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
  byId(id).replaceChildren(value, ...(unit ? [" ", element("small", "", unit)] : []));
}

// Rows are updated in place, so that the bars are animated and the keyboard focus is kept.
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
  byId("latency").replaceChildren(...rows);
}

function showPicture(frame) {
  if (pictureLoading || frame === shownFrame || document.hidden) return;
  pictureLoading = true;
  shownFrame = frame;
  byId("picture").src = `/picture.jpg?frame=${frame}`;
}

function setStatus(kind, text) {
  byId("status").className = `status ${kind}`;
  byId("status").textContent = text;
  document.body.classList.toggle("old", kind !== "live");
}

function showState(state) {
  lastMessageAt = performance.now();
  const prediction = state.prediction;
  setValue("temperature", state.temperature_c === null ? "–" : state.temperature_c.toFixed(0), state.temperature_c === null ? "" : "°C");
  byId("temperature").classList.toggle("hot", Boolean(state.throttling && state.throttling.length));
  byId("temperature").title = state.throttling ? state.throttling.join(", ") : "";
  drawLatency(state.latency_ms);
  if (!prediction) {
    setStatus("waiting", "Waiting for the camera");
    return;
  }
  const stale = state.since_ms > STALE_MS;
  setStatus(stale ? "stale" : "live", stale ? `No new frame for ${duration(state.since_ms).join(" ")}` : "Live");
  byId("label").textContent = prediction.stable;
  // The label is decided over several frames. The score belongs to the newest frame, so it is shown only if the labels match.
  byId("score").textContent = prediction.label === prediction.stable ? percent(prediction.score) : "";
  drawBars(byId("bars"), prediction.top);
  setValue("fps", state.fps === null || stale ? "–" : state.fps.toFixed(1));
  setValue("age", ...duration(prediction.age_ms));
  setValue("since", ...duration(state.since_ms));
  setValue("dropped", state.dropped.toLocaleString());
  byId("source").hidden = false;
  byId("source").textContent = `Frame ${prediction.frame.toLocaleString()} · ${prediction.source}`;
  showPicture(prediction.frame);
}

function describe(event) {
  const elapsed = event.duration_s ? duration(event.duration_s * 1000).join(" ") : "";
  switch (event.event) {
    case "entered": return [`${event.label} entered`, percent(event.score)];
    case "left": return [`${event.label} left`, `after ${elapsed}, best score ${percent(event.score)}`];
    case "recovered": return ["Camera recovered", elapsed ? `after ${elapsed}` : event.detail];
    case "stalled": return ["Camera stalled", event.detail];
    default: return ["Camera lost", event.detail];
  }
}

function addEvent(event) {
  byId("no-events").hidden = true;
  const row = element("li", event.event);
  const thumbnail = element(event.picture ? "img" : "span", "thumbnail");
  if (event.picture) {
    thumbnail.alt = "";
    thumbnail.loading = "lazy";
    thumbnail.src = `/events/${event.number}.jpg`;
  }
  const [title, detail] = describe(event);
  const text = element("div");
  text.append(element("div", "what", title), element("div", "more", detail));
  const when = new Date(event.at * 1000);
  const time = element("time", "", when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }));
  time.dateTime = when.toISOString();
  time.title = when.toLocaleString();
  row.append(thumbnail, text, time);
  byId("events").prepend(row);
  if (byId("events").children.length > MAX_EVENTS) byId("events").lastChild.remove();
}

function hello(server) {
  byId("title").textContent = server.title;
  document.title = `${server.title} · Edgewise`;
  byId("model").textContent = `${server.artifact} on ${server.backend}`;
  byId("events").replaceChildren(); // the server sends all kept events again
  byId("no-events").hidden = false;
}

function connect() {
  const stream = new EventSource("/events");
  stream.addEventListener("hello", (message) => hello(JSON.parse(message.data)));
  stream.addEventListener("state", (message) => showState(JSON.parse(message.data)));
  stream.addEventListener("event", (message) => addEvent(JSON.parse(message.data)));
  stream.onerror = () => {
    setStatus("offline", "Reconnecting");
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  };
}

async function classify(file) {
  byId("answer").hidden = false;
  byId("answer-label").textContent = "…";
  byId("answer-score").textContent = "";
  byId("answer-note").textContent = "";
  byId("answer-bars").replaceChildren();
  URL.revokeObjectURL(byId("preview").src);
  byId("preview").src = URL.createObjectURL(file);
  try {
    const response = await fetch("/classify", { method: "POST", body: file });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    byId("answer-label").textContent = answer.label;
    byId("answer-score").textContent = percent(answer.score);
    drawBars(byId("answer-bars"), answer.top.slice(0, 3));
    byId("answer-note").textContent =
      `decode ${answer.decode_ms.toFixed(1)}, resize ${answer.preprocess_ms.toFixed(1)}, inference ${answer.inference_ms.toFixed(1)} ms`;
  } catch (problem) {
    byId("answer-label").textContent = "Not classified";
    byId("answer-note").textContent = problem.message;
  }
}

byId("picture").onload = () => {
  pictureLoading = false;
  byId("picture").hidden = false;
  byId("no-picture").hidden = true;
};
byId("picture").onerror = () => { pictureLoading = false; };
byId("file").onchange = () => {
  if (byId("file").files.length) classify(byId("file").files[0]);
  byId("file").value = "";
};
for (const kind of ["dragover", "dragleave", "drop"]) {
  byId("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) classify(event.dataTransfer.files[0]);
  });
}
setInterval(() => {
  if (lastMessageAt && performance.now() - lastMessageAt > STALE_MS) setStatus("offline", "Reconnecting");
}, 1000);
drawLatency({});
connect();
