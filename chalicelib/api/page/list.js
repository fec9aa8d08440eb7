// Lists people or faces page by page, and keeps the place in the list.

import { byId, element, icon } from "./dom.js";
import { faceSet } from "./face_sets.js";
import { attempt, say } from "./notices.js";
import { isHidden, whenRemovalsChange } from "./removals.js";

const PAGE = 48;
const MOST = 1000;

let source = null;
let cursor = null;
let work = new AbortController();
let items = new Map();

const rows = () => [...byId("people-list").querySelectorAll("[data-key]:not([hidden])")];
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
    byId("people-more").hidden = true;
    byId("people-list").replaceChildren(...Array.from({ length: 6 }, () => element("li", { className: "skeleton", "aria-hidden": "true" })));
    byId("people-state").textContent = "Loading …";
    for (const id of ["people-empty", "person-empty"]) byId(id).hidden = true;
  }
  const again = () => list(next, place);
  const listed = await attempt(byId("people-alert"), () => load(place.rows ?? 0, true), { again, reads: true });
  if (byId("people").hidden) return;
  if (listed) {
    if (place.y !== undefined) scrollTo(0, place.y);
    if (place.key !== undefined) focusRow(place.key);
  } else if (!byId("people-alert").hidden && !items.size) {
    byId("people-list").replaceChildren();
    byId("people-state").textContent = "";
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
  byId("people-list")[first ? "replaceChildren" : "append"](...made);
  summarise();
  say(byId("people-state").textContent);
  return made;
}

function row(item, number) {
  const { open, label } = source.card(item, number);
  const made = element("li", { className: "person", hidden: isHidden(item.key) }, open);
  open.classList.add("open");
  open.inert = byId("people-list").classList.contains("selecting");
  made.dataset.key = item.key;
  if (label) made.append(element("label", { className: "pick" }, element("input", { type: "checkbox", "aria-label": `Select ${label}` }), icon("check")));
  return made;
}

function summarise() {
  const shown = shownItems();
  byId("people-more").hidden = cursor === null;
  byId("people-state").textContent = source.summary(shown, cursor === null);
  for (const id of ["people-empty", "person-empty"]) byId(id).hidden = shown.length > 0 || cursor !== null || id !== source.empty;
  byId("people-select").hidden = !byId("people-list").querySelector("li:not([hidden]) .pick");
}

export function startList() {
  byId("people-more").addEventListener("click", async () => {
    byId("people-more").disabled = true;
    const more = await attempt(byId("people-alert"), () => load(0, false), { again: () => byId("people-more").click() });
    byId("people-more").disabled = false;
    if (more?.length) focusRow(more[0].dataset.key);
  });
  whenRemovalsChange((removed) => {
    for (const made of byId("people-list").querySelectorAll("[data-key]")) {
      const { key } = made.dataset;
      made.hidden = isHidden(key);
      if (removed.some((thing) => thing.key === key) && items.delete(key)) made.remove();
    }
    if (source && !byId("people-list").querySelector(".skeleton")) summarise();
  });
}
