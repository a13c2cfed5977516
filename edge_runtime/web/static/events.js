"use strict";
// The list of events: those from before the start of the server, if it has a log, and the live ones.

const MAX_EVENTS = 100;
const CAMERA = "\u0000camera"; // no label contains this character

function describe(event) {
  const elapsed = event.duration_s ? duration(event.duration_s * 1000).join(" ") : "";
  switch (event.event) {
    case "entered": return [`${event.label} entered`, percent(event.score)];
    case "left": return [`${event.label} left`, `after ${elapsed || "0 s"}, best score ${percent(event.score)}`];
    case "recovered": return ["Camera recovered", elapsed ? `after ${elapsed}` : event.detail];
    case "stalled": return ["Camera stalled", event.detail];
    case "drifted": return ["Different from training", event.detail];
    case "drift_ended": return ["As in training again", `${event.detail}; it lasted ${elapsed || "0 s"}`];
    default: return ["Camera lost", event.detail];
  }
}

// The date is shown unless it is today's.
function whenOf(event) {
  const at = new Date(event.at * 1000);
  const time = element("time", "");
  if (Number.isNaN(at.getTime())) return time;
  const clock = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  if (at.toDateString() !== new Date().toDateString()) {
    time.append(element("span", "date", at.toLocaleDateString([], { year: "numeric", month: "short", day: "numeric" })));
  }
  time.append(clock);
  time.dateTime = at.toISOString();
  time.title = at.toLocaleString();
  return time;
}

function thumbnailOf(event, title, when) {
  if (!event.picture) return element("span", "thumbnail");
  const link = element("a", "thumbnail");
  link.href = `/events/${event.number}.jpg`;
  link.target = "_blank";
  link.rel = "noopener";
  link.setAttribute("aria-label", `Picture: ${title}, ${when.title}`);
  const image = element("img");
  image.alt = "";
  image.loading = "lazy";
  image.src = link.href;
  link.append(image);
  return link;
}

function applyFilter() {
  const wanted = byId("filter").value;
  let shown = 0;
  for (const row of byId("events").children) {
    row.hidden = wanted !== "" && row.dataset.about !== wanted;
    shown += row.hidden ? 0 : 1;
  }
  byId("no-events").hidden = shown > 0;
  byId("no-events").textContent = wanted === "" ? "No events yet" : "No events of this kind";
}

function addEvent(event) {
  const row = element("li", event.event);
  row.dataset.about = event.label || CAMERA;
  if (event.event === "entered" && !event.restored) row.dataset.frame = event.frame;
  const [title, detail] = describe(event);
  const when = whenOf(event);
  const text = element("div");
  text.append(element("div", "what", title), element("div", "more", detail));
  row.append(thumbnailOf(event, title, when), text, when);
  byId("events").prepend(row);
  offerCorrection(row);
  if (byId("events").children.length > MAX_EVENTS) byId("events").lastChild.remove();
  applyFilter();
}

function resetEvents(labels) {
  const wanted = byId("filter").value;
  const option = (text, value) => {
    const made = element("option", "", text);
    made.value = value;
    return made;
  };
  byId("filter").replaceChildren(option("all", ""), ...labels.map((label) => option(label, label)), option("camera", CAMERA));
  byId("filter").value = [...labels, CAMERA].includes(wanted) ? wanted : "";
  byId("events").replaceChildren(); // the server sends all kept events again
  applyFilter();
}

byId("filter").onchange = applyFilter;
