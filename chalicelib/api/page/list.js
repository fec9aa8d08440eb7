// Lists people or faces page by page, and keeps the place in the list.

import { byId, element, icon, onClick, skeletons, write } from "./dom.js";
import { faceSet } from "./face_sets.js";
import { attempt, say } from "./notices.js";
import { isHidden, whenRemovalsChange } from "./removals.js";

const PAGE = 48;
const MOST = 1000;

const grid = byId("people-list");
const more = byId("people-more");
const alert = byId("people-alert");

let source = null;
let cursor = null;
let work = new AbortController();
let items = new Map();

const rows = () => [...grid.querySelectorAll("[data-key]:not([hidden])")];
/** Return the items of the rows that `wanted` accepts; of all without it. */
export const shownItems = (wanted = () => true) => rows().filter(wanted).map(({ dataset }) => items.get(dataset.key));

/**
 * List what `next` gives. `place` has the scroll position, the number of rows and the row with the focus.
 *
 * A source has `page(fields, signal)`, which resolves to `{items, next_cursor}`; `card(item, number)`, which returns the
 * element to open and, if the item may be selected, its name; `summary(items, complete)`; and `empty`, the id of the
 * element that says that there is nothing.
 */
export async function list(next, place = {}) {
  work.abort();
  work = new AbortController();
  cursor = null;
  if (source !== next) {
    source = next;
    items = new Map();
    more.hidden = true;
    grid.replaceChildren(...skeletons(6));
    write("people-state", "Loading …");
    for (const id of ["people-empty", "person-empty"]) byId(id).hidden = true;
  }
  const again = () => list(next, place);
  const listed = await attempt(alert, () => load(place.rows ?? 0, true), { again, reads: true });
  if (byId("people").hidden) return;
  if (listed) {
    if (place.y !== undefined) scrollTo(0, place.y);
    if (place.key !== undefined) focusRow(place.key);
  } else if (!alert.hidden && !items.size) {
    grid.replaceChildren();
    write("people-state", "");
  }
}

/** List the same again after changes to some items, and focus the row beside them. */
export function listAgain(changed) {
  return list(source, { rows: items.size, y: scrollY, key: beside(changed) ?? "" });
}

/** Return the key of the first row after some items, else of the last one before. */
function beside(some) {
  const all = shownItems();
  const last = all.findLastIndex((item) => some.includes(item));
  const stays = (item) => !some.includes(item);
  return (all.slice(last).find(stays) ?? all.findLast(stays))?.key;
}

/** Focus a row, or the heading without it. */
export function focusRow(key) {
  const row = rows().find(({ dataset }) => dataset.key === key);
  (row?.querySelector(".open:not([inert]), .selecting .pick input") ?? byId("people").querySelector("h1:not([hidden] *)")).focus({ preventScroll: true });
}

/** Focus the row beside items that are about to go. */
export const focusBeside = (some) => focusRow(beside(some));

async function load(count, first) {
  const { signal } = work;
  const found = [];
  // A page of a search may be short or empty, and still not be the last.
  do {
    const fields = { limit: Math.min(Math.max(PAGE, count - found.length), MOST), cursor: cursor ?? undefined, face_set: faceSet() };
    const reply = await source.page(fields, signal);
    signal.throwIfAborted();
    cursor = reply.next_cursor;
    found.push(...reply.items);
  } while (cursor !== null && found.length < Math.max(1, count));
  if (first) items = new Map();
  const made = found.map((item) => row(item, items.set(item.key, item).size));
  grid[first ? "replaceChildren" : "append"](...made);
  summarise();
  say(byId("people-state").textContent);
  return made;
}

function row(item, number) {
  const { open, label } = source.card(item, number);
  const made = element("li.person", { hidden: isHidden(item.key) }, open);
  open.classList.add("open");
  open.inert = grid.classList.contains("selecting");
  made.dataset.key = item.key;
  if (label) made.append(element("label.pick", {}, element("input", { type: "checkbox", "aria-label": `Select ${label}` }), icon("check")));
  return made;
}

function summarise() {
  const shown = shownItems();
  more.hidden = cursor === null;
  write("people-state", source.summary(shown, cursor === null));
  for (const id of ["people-empty", "person-empty"]) byId(id).hidden = shown.length > 0 || cursor !== null || id !== source.empty;
  byId("people-select").hidden = !grid.querySelector("li:not([hidden]) .pick");
}

export function startList() {
  onClick("people-more", async () => {
    more.disabled = true;
    const added = await attempt(alert, () => load(0, false), { again: () => more.click() });
    more.disabled = false;
    if (added?.length) focusRow(added[0].dataset.key);
  });
  whenRemovalsChange((removed) => {
    for (const made of grid.querySelectorAll("[data-key]")) {
      const { key } = made.dataset;
      made.hidden = isHidden(key);
      if (removed.some((thing) => thing.key === key) && items.delete(key)) made.remove();
    }
    if (source && !grid.querySelector(".skeleton")) summarise();
  });
}
