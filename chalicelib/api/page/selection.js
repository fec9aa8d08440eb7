// Moves and removes what the list shows, one or several selected.

import { named } from "./dialogs.js";
import { byId, onClick, write } from "./dom.js";
import { focusBeside, listAgain, shownItems } from "./list.js";
import { attempt, notify } from "./notices.js";
import { remove } from "./removals.js";

const grid = byId("people-list");
const choice = byId("choice");

let source = null;

const boxes = () => [...grid.querySelectorAll("li:not([hidden]) .pick input")];
const chosen = () => shownItems((row) => row.querySelector(":checked"));

/**
 * Offer the selection. `next` has `words(items)`; `removal(item)`, which returns the request that removes an item; and
 * `move(items, name)`, which gives items to somebody and resolves to whether it did.
 */
export function selectFrom(next) {
  source = next;
  select(false);
}

/** Ask who items belong to, and move them there. */
export async function moveItems(items) {
  const words = source.words(items);
  const name = await named(`Move ${words} to …`, "", { yes: "Move", pictures: items.map(({ cover }) => cover) });
  if (name === null) return;
  end();
  await attempt(byId("people-alert"), async () => {
    if (!(await source.move(items, name))) return;
    notify(`Moved ${words} to ${name}.`);
    await listAgain(items);
  });
}

export function removeItems(items) {
  end();
  focusBeside(items);
  remove(items.map((item) => ({ key: item.key, ...source.removal(item) })), source.words(items));
}

/** Rows that are chosen cannot have the focus otherwise. */
function end() {
  byId("viewer").close();
  select(false);
}

function select(selecting) {
  grid.classList.toggle("selecting", selecting);
  choice.hidden = !selecting;
  byId("people-select").ariaPressed = String(selecting);
  for (const open of grid.querySelectorAll(".open")) open.inert = selecting;
  check(false);
}

function check(checked) {
  boxes().forEach((box) => (box.checked = checked));
  count();
}

function count() {
  const { length } = chosen();
  write("choice-count", `${length} selected`);
  byId("choice-move").disabled = byId("choice-remove").disabled = !length;
}

export function startSelection() {
  const turn = () => {
    select(choice.hidden);
    (choice.hidden ? byId("people-select") : boxes()[0]).focus();
  };
  onClick("people-select", turn);
  onClick("choice-end", turn);
  byId("people").addEventListener("keydown", ({ key }) => key === "Escape" && !choice.hidden && turn());
  grid.addEventListener("change", count);
  onClick("choice-all", () => check(true));
  onClick("choice-move", () => moveItems(chosen()));
  onClick("choice-remove", () => removeItems(chosen()));
}
