"use strict";
// Data from the server is inserted as text, never as HTML.

const byId = (id) => document.getElementById(id);

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
