"use strict";

// Tables: a click or a key on a heading sorts by it, a second one the other way round.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    heads.forEach(other => other.setAttribute("aria-sort", other === head ? order : "none"));
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => compare(a.cells[column], b.cells[column], sign));
    table.tBodies[0].append(...rows);
  }));
}

function compare(a, b, sign) {  // what has no number comes last, either way
  const [x, y] = [a, b].map(cell => cell.dataset.value);
  if (x !== undefined && y !== undefined) return sign * (x - y);
  if (x !== undefined || y !== undefined) return x === undefined ? 1 : -1;
  return sign * a.textContent.localeCompare(b.textContent, undefined, { numeric: true });
}

// Figures: marks say more under a pointer, a finger, or the focus (arrows go from mark to mark).
const tip = document.getElementById("tip");
const tips = {};
for (const script of document.querySelectorAll("script[data-tips-of]"))
  tips[script.dataset.tipsOf] = JSON.parse(script.textContent);

for (const figure of document.querySelectorAll("figure[data-tips]")) {
  const about = tips[figure.dataset.tips] || {};
  const marks = [...figure.querySelectorAll("[data-key]")].filter(mark => about[mark.dataset.key]);
  const markOf = event => marks.find(mark => mark.contains(event.target));
  marks.forEach((mark, i) => {
    mark.setAttribute("tabindex", i ? -1 : 0);
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", about[mark.dataset.key].map(row => row.join(" ")).join(", "));
  });
  const shown = event => { const mark = markOf(event); if (mark) show(mark, about[mark.dataset.key]); };
  for (const kind of ["pointerover", "click", "focusin"]) figure.addEventListener(kind, shown);
  for (const kind of ["pointerout", "focusout"]) figure.addEventListener(kind, hide);
  figure.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = marks.indexOf(markOf(event));
    if (!step || at < 0) return;
    event.preventDefault();
    const next = marks[(at + step + marks.length) % marks.length];
    marks[at].setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
  });
}
addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
addEventListener("scroll", place, { capture: true, passive: true });

function show(mark, rows) {
  hide();
  mark.classList.add("shown");
  tip.replaceChildren(...rows.map(([name, value]) => {
    const row = document.createElement(value === undefined ? "b" : "span");
    if (value === undefined) row.textContent = name;
    else for (const text of [name, value]) row.appendChild(document.createElement("i")).textContent = text;
    return row;
  }));
  tip.hidden = false;
  place();
}

function place() {  // beside the mark, within the window
  const mark = document.querySelector(".shown");
  if (!mark) return;
  const box = mark.getBoundingClientRect();
  const left = Math.min(box.right + 8, innerWidth - tip.offsetWidth - 8);
  const above = box.top - tip.offsetHeight - 8;
  tip.style.left = Math.max(8, left) + "px";
  tip.style.top = (above > 8 ? above : Math.min(box.bottom + 8, innerHeight - tip.offsetHeight - 8)) + "px";
}

function hide() {
  tip.hidden = true;
  document.querySelectorAll(".shown").forEach(mark => mark.classList.remove("shown"));
}

// Paper has nothing to unfold.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach(details => { details.open = true; });
});
addEventListener("afterprint", () => folded.forEach(details => { details.open = false; }));
