"use strict";
// The card that compares what the camera sees with the training photographs.

const STATISTICS = {
  brightness: "Brightness", contrast: "Contrast", sharpness: "Sharpness",
  colourfulness: "Colourfulness", redness: "Red to green", yellowness: "Yellow to blue",
};
let shownDrift = "";

function drawPosition(name, value) {
  const row = element("li");
  const track = element("span", "position");
  const mark = element("span", value < 0.1 || value > 0.9 ? "mark-far" : "mark-near");
  mark.style.left = `${value * 100}%`;
  track.append(mark);
  row.append(element("span", "name", STATISTICS[name] || name), track, element("span", "percent", `${Math.round(value * 100)}\u00a0%`));
  return row;
}

// Null if nothing compares the pictures, such as for a video or an older bundle.
function showDrift(drift) {
  byId("drift").hidden = !drift;
  if (!drift || JSON.stringify(drift) === shownDrift) return; // several times per second, mostly without a change
  shownDrift = JSON.stringify(drift);
  const compared = Object.entries(drift.positions);
  const reasons = drift.reasons.map((reason) => element("li", "", reason.sentence));
  byId("drift").classList.toggle("different", reasons.length > 0);
  byId("drift-reasons").replaceChildren(...reasons);
  if (reasons.length) byId("drift-summary").textContent = "Different from the training photographs:";
  else byId("drift-summary").textContent = compared.length ? "As in the training photographs" : "Not enough pictures yet";
  byId("drift-positions").replaceChildren(...compared.map(([name, value]) => drawPosition(name, value)));
}
