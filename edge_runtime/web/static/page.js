"use strict";
// Data from the server is inserted as text, never as HTML.

const UNKNOWN = "unknown";
const STALE_MS = 3000; // time without a sign of life of the source, or without a message from the server
const RETRY_MS = 3000;
const STAGES = { decode: "Decode", preprocess: "Resize", inference: "Inference", age: "Capture to decision" };

let lastMessageAt = 0;
let region = null; // x, y, width and height in pixels of a frame

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

// An unfamiliar picture has a score of its own; that of another "unknown" belongs to a class below its threshold.
function ownScore(decided) {
  const ofTopClass = decided.label === UNKNOWN && decided.top.length > 0 && decided.score === decided.top[0].score;
  return ofTopClass ? "" : percent(decided.score);
}

// The label is decided over several frames. The score belongs to the newest frame, so it is shown only if the labels match.
function showDecision(prediction, candidate) {
  const score = prediction.label === prediction.stable ? ownScore(prediction) : "";
  byId("label").textContent = prediction.stable;
  byId("score").textContent = score;
  byId("overlay").textContent = `${prediction.stable} ${score}`;
  const [label, votes, needed] = candidate || [];
  byId("candidate").textContent = candidate ? `${prediction.stable} \u2192 ${label}, ${votes} of ${needed} votes` : "";
}

function statusOf(state) {
  if (state.ended) return ["ended", "The video has ended"];
  if (!state.prediction) return ["waiting", "Waiting for the camera"];
  if (state.alive_ms > STALE_MS) return ["stale", `No new frame for ${duration(state.alive_ms).join(" ")}`];
  return ["live", "Live"];
}

function showState(state) {
  lastMessageAt = performance.now();
  const prediction = state.prediction;
  const [kind, text] = statusOf(state);
  setValue("temperature", state.temperature_c === null ? "–" : state.temperature_c.toFixed(0), state.temperature_c === null ? "" : "°C");
  byId("temperature").classList.toggle("hot", Boolean(state.throttling && state.throttling.length));
  byId("temperature").title = state.throttling ? state.throttling.join(", ") : "";
  drawLatency(state.latency_ms);
  setStatus(kind, text);
  showDrift(state.drift);
  if (!prediction) return;
  showDecision(prediction, kind === "live" ? state.candidate : null);
  showRegion(region, state.frame_size);
  drawBars(byId("bars"), prediction.top);
  setValue("fps", state.fps === null || kind !== "live" ? "–" : state.fps.toFixed(1));
  setValue("age", ...duration(prediction.age_ms));
  setValue("since", ...duration(state.since_ms));
  setValue("dropped", state.dropped.toLocaleString());
  byId("source").hidden = false;
  byId("source").textContent = `Frame ${prediction.frame.toLocaleString()} · ${prediction.source}`;
  showFrame(prediction.frame);
}

// While the server does not answer, nothing on the page may look live.
function showOffline() {
  setStatus("offline", "Reconnecting");
  for (const id of ["fps", "age", "since", "temperature"]) setValue(id, "–");
  byId("candidate").textContent = "";
}

function hello(server) {
  region = server.roi;
  byId("logout").hidden = !server.can_log_out;
  byId("title").textContent = server.title;
  document.title = `${server.title} · Edgewise`;
  byId("model").textContent = `${server.artifact} on ${server.backend}`;
  resetEvents(server.labels);
  keptFrames.clear(); // the server sends them again
  if (server.can_review) startCorrections();
}

function connect() {
  const stream = new EventSource("/events");
  stream.addEventListener("hello", (message) => hello(JSON.parse(message.data)));
  stream.addEventListener("state", (message) => showState(JSON.parse(message.data)));
  stream.addEventListener("event", (message) => addEvent(JSON.parse(message.data)));
  stream.addEventListener("kept", (message) => noteKept(JSON.parse(message.data)));
  stream.onerror = () => {
    showOffline();
    if (stream.readyState === EventSource.CLOSED) setTimeout(reconnect, RETRY_MS);
  };
}

// A session that has ended leads to the login page.
async function reconnect() {
  const response = await fetch("/state").catch(() => null);
  if (response && response.status === 401) location.assign("/login");
  else connect();
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
    if (response.status === 401) location.assign("/login");
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    byId("answer-label").textContent = answer.label;
    byId("answer-score").textContent = ownScore(answer);
    drawBars(byId("answer-bars"), answer.top.slice(0, 3));
    byId("answer-note").textContent =
      `decode ${answer.decode_ms.toFixed(1)}, resize ${answer.preprocess_ms.toFixed(1)}, inference ${answer.inference_ms.toFixed(1)} ms`;
  } catch (problem) {
    byId("answer-label").textContent = "Not classified";
    byId("answer-note").textContent = problem.message;
  }
}

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
  if (lastMessageAt && performance.now() - lastMessageAt > STALE_MS) showOffline();
}, 1000);
drawLatency({});
connect();
