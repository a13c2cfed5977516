"use strict";
// The newest frame of the camera, which the live page and the page for collecting show.

let shownFrame = null;
let pictureLoading = false;

function showFrame(frame) {
  if (frame === null || pictureLoading || frame === shownFrame || document.hidden) return;
  pictureLoading = true;
  shownFrame = frame;
  byId("picture").src = `/picture.jpg?frame=${frame}`;
}

// An SVG with the size of the frame is placed on the picture in the same way as the picture in its box.
function showRegion(region, size) {
  const shown = Boolean(region && size);
  byId("region").toggleAttribute("hidden", !shown);
  if (!shown) return;
  byId("region").setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  ["x", "y", "width", "height"].forEach((name, index) => byId("region-box").setAttribute(name, region[index]));
}

function setStatus(kind, text) {
  byId("status").className = `status ${kind}`;
  if (byId("status").textContent !== text) byId("status").textContent = text; // a screen reader speaks every change
  document.body.classList.toggle("old", kind !== "live");
}

byId("picture").onload = () => {
  pictureLoading = false;
  byId("picture").hidden = false;
  byId("no-picture").hidden = true;
};
byId("picture").onerror = () => { pictureLoading = false; };
