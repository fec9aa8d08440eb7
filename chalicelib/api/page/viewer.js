// Shows one picture of the list larger, with its actions.

import { crop } from "./crops.js";
import { byId, onClick, write } from "./dom.js";
import { focusRow, shownItems } from "./list.js";
import { Matches } from "./matches.js";
import { moveItems, removeItems } from "./selection.js";

const days = new Intl.DateTimeFormat("en", { dateStyle: "long" });

const viewer = byId("viewer");

let matches;
let source = null;
let shown = null;

/** Show a face. `from` has `label(item)`, and `cover(item)` if the face shows a person. */
export function view(item, from) {
  source = from;
  show(item);
  viewer.showModal();
}

function show(item) {
  shown = item;
  write("viewer-title", source.label(item));
  write("viewer-date", `Added on ${days.format(new Date(item.added_at))}`);
  byId("viewer-picture").replaceChildren(crop(item.key));
  byId("viewer-alert").hidden = true;
  byId("viewer-cover").hidden = !source.cover;
}

function step(by) {
  const items = shownItems();
  const index = items.findIndex(({ key }) => key === shown.key) + by;
  show(items[(index + items.length) % items.length]);
}

async function showAlike() {
  const searching = new AbortController();
  write("alike-title", `Faces like ${source.label(shown)}`);
  byId("alike-dialog").addEventListener("close", () => searching.abort(), { once: true });
  byId("alike-dialog").showModal();
  await matches.search(shown.key, searching.signal);
}

export function startViewer() {
  matches = new Matches(byId("alike-matches"));
  onClick("viewer-previous", () => step(-1));
  onClick("viewer-next", () => step(1));
  viewer.addEventListener("keydown", ({ key }) => {
    if (key === "ArrowLeft") step(-1);
    if (key === "ArrowRight") step(1);
  });
  viewer.addEventListener("close", () => shownItems().includes(shown) && focusRow(shown.key));
  onClick("viewer-move", () => moveItems([shown]));
  onClick("viewer-cover", () => source.cover(shown));
  onClick("viewer-alike", showAlike);
  onClick("viewer-remove", () => removeItems([shown]));
}
