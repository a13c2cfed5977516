"use strict";
// Data from the server is inserted as text, never as HTML.

const PAGE = 60;
const MOST_BUTTONS = 20; // further classes are in a list
const REASONS = { unfamiliar: "unfamiliar", flipped: "decision changed", close: "close", random: "random sample" };
let labels = []; // the last one is for pictures of none of the classes
let group = { view: "kept", label: "" };
let loading = false;
let isComplete = false;
let anchor = null; // the frame from which a range is selected

const grid = byId("grid");
const frames = () => [...grid.children];
const selected = () => frames().filter((item) => item.getAttribute("aria-selected") === "true");
const active = () => grid.querySelector(".active");

function groupName(item) {
  if (item.view === "random") return "Random sample, for the accuracy in the field";
  if (item.view === "reviewed") return item.label ? `Reviewed: ${item.label}` : "Reviewed: all";
  return item.label ? `The model said ${item.label}` : "All frames";
}

function showGroups(state) {
  const known = [{ view: "kept", label: "", count: 0 }, ...state.groups];
  const order = { kept: 0, random: 1, reviewed: 2 };
  const unique = new Map(known.map((item) => [`${item.view}/${item.label}`, item]));
  const current = `${group.view}/${group.label}`;
  if (!unique.has(current)) unique.set(current, { ...group, count: 0 });
  const sorted = [...unique].sort(([, a], [, b]) => order[a.view] - order[b.view] || a.label.localeCompare(b.label));
  byId("group").replaceChildren(...sorted.map(([value, item]) => (
    option(`${groupName(item)} (${item.count.toLocaleString()})`, value)
  )));
  byId("group").value = current;
  byId("undo").disabled = !state.can_undo;
  showAccuracy(state);
}

function showAccuracy(state) {
  const waiting = state.groups.find((item) => item.view === "random");
  const rest = waiting ? ` ${waiting.count.toLocaleString()} of its frames wait for a review.` : "";
  if (!state.accuracy) {
    byId("accuracy").textContent = waiting ? `Review the random sample to see the accuracy in the field.${rest}` : "";
    return;
  }
  const { right, total, low, high, artifact } = state.accuracy;
  byId("accuracy").replaceChildren(
    element("b", "", `${percent(right / total)} right in the field`),
    ` (95% interval ${percent(low)} to ${percent(high)}): ${artifact} on ${total.toLocaleString()} reviewed frames of the random sample.${rest}`,
  );
}

function showLabels(names) {
  if (names.join("\n") === labels.join("\n")) return;
  labels = names;
  const isButton = (index) => index < MOST_BUTTONS || index === names.length - 1;
  const others = names.filter((_, index) => !isButton(index));
  byId("others").hidden = others.length === 0;
  byId("others").replaceChildren(option("Another class…", ""), ...others.map((label) => option(label, label)));
  byId("labels").replaceChildren(...names.filter((_, index) => isButton(index)).map((label) => {
    const key = keyOf(names.indexOf(label));
    const button = element("button", "quiet", `${label} `);
    button.type = "button";
    button.dataset.label = label;
    if (key) {
      button.setAttribute("aria-keyshortcuts", key);
      button.append(element("kbd", "", key));
    }
    button.onclick = () => decide("label", label);
    return button;
  }));
}

function option(text, value) {
  const made = element("option", "", text);
  made.value = value;
  return made;
}

function keyOf(index) {
  if (index === labels.length - 1) return "0";
  return index < FIRST_KEYS ? String(index + 1) : "";
}

function tile(frame) {
  const item = element("li");
  item.id = `frame-${frame.name}`;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  item.dataset.name = frame.name;
  const said = frame.label || `${frame.said} ${percent(frame.score)}`;
  const why = REASONS[frame.reason] || "";
  item.setAttribute("aria-label", `${said}, ${why}, ${timeOf(frame.name)}`);
  const image = element("img");
  image.alt = "";
  image.loading = "lazy";
  image.src = `/review/thumbnail/${frame.name}`;
  item.append(image, element("span", "name", said), element("span", "reason", why));
  item.onclick = (event) => choose(item, event.shiftKey);
  item.ondblclick = () => look(item);
  return item;
}

function choose(item, isRange) {
  const all = frames();
  if (isRange && anchor && anchor.isConnected) {
    const [from, to] = [all.indexOf(anchor), all.indexOf(item)].sort((a, b) => a - b);
    for (const other of all.slice(from, to + 1)) other.setAttribute("aria-selected", "true");
  } else {
    item.setAttribute("aria-selected", String(item.getAttribute("aria-selected") !== "true"));
    anchor = item;
  }
  activate(item);
  showSelected();
}

function activate(item) {
  if (active()) active().classList.remove("active");
  if (!item) {
    grid.removeAttribute("aria-activedescendant");
    return;
  }
  item.classList.add("active");
  grid.setAttribute("aria-activedescendant", item.id);
  item.scrollIntoView({ block: "nearest" });
}

function showSelected() {
  const count = selected().length;
  byId("selected").textContent = count ? `${count.toLocaleString()} selected` : "None selected";
  byId("no-frames").hidden = frames().length > 0 || !isComplete;
  byId("more").hidden = isComplete;
}

function move(key) {
  const all = frames();
  if (!all.length) return;
  const across = Math.max(1, all.findIndex((item) => item.offsetTop > all[0].offsetTop));
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, Home: -all.length, End: all.length };
  const at = active() ? all.indexOf(active()) + steps[key] : 0;
  activate(all[Math.min(all.length - 1, Math.max(0, at))]);
}

function look(item) {
  if (item) showPicture(`/review/picture/${item.dataset.name}`, item.getAttribute("aria-label"));
}

// An action applies to the selected frames, or else to the active one.
async function decide(action, label = "") {
  const items = selected().length ? selected() : [active()].filter(Boolean);
  if (!items.length) {
    say("Select a frame first: press it, or use the arrow keys");
    return;
  }
  const names = items.map((item) => item.dataset.name).slice(0, 1000);
  const answer = await request("/review/decide", { names, action, label });
  if (!answer) return;
  const all = frames();
  const after = all.slice(all.indexOf(items[items.length - 1]) + 1).find((item) => !items.includes(item));
  for (const item of items) {
    if (item.dataset.name in answer.moved || answer.missing.includes(item.dataset.name)) item.remove();
  }
  activate(after || frames()[frames().length - 1]);
  say(outcomeText(answer));
  afterMove();
}

function outcomeText(answer) {
  const counts = new Map();
  for (const label of Object.values(answer.moved)) counts.set(label, (counts.get(label) || 0) + 1);
  const name = (label) => (label === null ? "deleted" : label === "" ? "back to review" : label);
  const parts = [...counts].map(([label, count]) => `${count} ${name(label)}`);
  if (answer.unclear.length) parts.push(`${answer.unclear.length} cannot be confirmed: the model's label is not known; choose one`);
  if (answer.missing.length) parts.push(`${answer.missing.length} were not there any more`);
  return parts.join(", ") || "Nothing to take back";
}

async function undo() {
  const answer = await request("/review/undo", {});
  if (!answer) return;
  say(`Taken back: ${outcomeText(answer)}`);
  await reload();
}

function afterMove() {
  showSelected();
  refreshGroups();
  if (frames().length < PAGE / 2) more();
}

async function refreshGroups() {
  const state = await request("/review/groups");
  if (!state) return;
  showLabels(state.labels);
  showGroups(state);
}

async function more() {
  if (loading || isComplete) return;
  loading = true;
  const last = grid.lastElementChild ? grid.lastElementChild.dataset.name : "";
  const query = new URLSearchParams({ ...group, before: last, limit: PAGE });
  const answer = await request(`/review/frames?${query}`);
  loading = false;
  if (!answer || query.get("view") !== group.view || query.get("label") !== group.label) return;
  isComplete = answer.frames.length < PAGE;
  grid.append(...answer.frames.map(tile));
  if (!active()) activate(grid.firstElementChild);
  showSelected();
  if (!isComplete && byId("more").getBoundingClientRect().top < innerHeight) more(); // a tall window
}

async function reload() {
  grid.replaceChildren();
  isComplete = false;
  anchor = null;
  byId("return").hidden = group.view !== "reviewed";
  byId("confirm").hidden = group.view === "reviewed";
  await refreshGroups();
  await more();
}

function chooseGroup(value) {
  const [view, ...label] = value.split("/");
  group = { view, label: label.join("/") };
  history.replaceState(null, "", `#${encodeURIComponent(value)}`);
  reload();
}

function selectAll() {
  const isSelected = selected().length < frames().length;
  for (const item of frames()) item.setAttribute("aria-selected", String(isSelected));
  showSelected();
}

function pressed(event) {
  if (byId("viewer").open) return false;
  if (isUndoKey(event)) return undo();
  if (isTyping(event) || (event.target.tagName === "BUTTON" && /^(Enter| )$/.test(event.key))) return false;
  if (/^(Arrow(Up|Down|Left|Right)|Home|End)$/.test(event.key)) return move(event.key);
  if (event.key === " ") return active() && choose(active(), event.shiftKey);
  if (event.key === "Enter") return group.view !== "reviewed" && decide("confirm");
  if (event.key === "Delete" || event.key === "Backspace") return decide("delete");
  if (event.key.toLowerCase() === "a") return selectAll();
  if (event.key.toLowerCase() === "v") return look(active());
  const index = labels.findIndex((_, at) => keyOf(at) === event.key);
  return index >= 0 ? decide("label", labels[index]) : false;
}

document.addEventListener("keydown", (event) => { if (pressed(event) !== false) event.preventDefault(); });
byId("others").onchange = () => {
  if (byId("others").value) decide("label", byId("others").value);
  byId("others").value = "";
};
byId("group").onchange = () => chooseGroup(byId("group").value);
byId("all").onclick = selectAll;
byId("look").onclick = () => look(selected()[0] || active());
byId("return").onclick = () => decide("return");
byId("delete").onclick = () => decide("delete");
byId("undo").onclick = undo;
byId("confirm").onclick = () => decide("confirm");
byId("more-button").onclick = more;
new IntersectionObserver((seen) => { if (seen.some((item) => item.isIntersecting)) more(); }, { rootMargin: "400px" })
  .observe(byId("more"));
if (/^#(kept|random|reviewed)%2F/.test(location.hash)) chooseGroup(decodeURIComponent(location.hash.slice(1)));
else reload();
