"use strict";

const body = document.getElementById("devices");
const search = document.getElementById("search");
const rows = [...body.rows].map((row, index) => ({ row, index, text: row.textContent.toLowerCase() }));

/** Show the rows that contain every word of the search. */
function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const item of rows) {
    const matches = words.every((word) => item.text.includes(word));
    item.row.hidden = !matches;
    shown += matches;
  }
  document.getElementById("shown").textContent = words.length ? `${shown} of ${rows.length} shown` : "";
}

/** Sort by a column: ascending, then descending, then in the order of urgency again. */
function sortBy(heading, column) {
  const next = { none: "ascending", ascending: "descending", descending: "none" }[heading.ariaSort];
  for (const other of heading.parentNode.children) other.ariaSort = "none";
  heading.ariaSort = next;
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  const sign = next === "descending" ? -1 : 1;
  const sorted = [...rows].sort((one, other) => {
    const [left, right] = [one, other].map((item) => item.row.cells[column].textContent);
    return next === "none" ? one.index - other.index : sign * compare(left, right) || one.index - other.index;
  });
  body.append(...sorted.map((item) => item.row));
}

search.addEventListener("input", filter);
[...document.querySelectorAll("thead th")].forEach((heading, column) => {
  heading.querySelector("button").addEventListener("click", () => sortBy(heading, column));
});
