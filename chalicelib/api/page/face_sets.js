// Keeps the selected face set and manages the list of face sets.

import { call } from "./api.js";
import { confirmed } from "./dialogs.js";
import { byId, element, iconButton, plural } from "./dom.js";
import { attempt, notify } from "./notices.js";

const DEFAULT = "default";
const STORED = "face-search-face-set";

const listeners = [];
let current = sessionStorage.getItem(STORED) ?? DEFAULT;
let sets = null;

export const faceSet = () => current;

/** Call `listener` when another face set is chosen. */
export const whenFaceSetChanges = (listener) => listeners.push(listener);

/** Return how many faces are in a face set, or null if unknown. */
export async function facesIn(name) {
  const known = await listed().catch(() => []);
  return known.find(({ face_set: other }) => other === name)?.faces ?? null;
}

/** Discard the loaded face sets after faces were added or removed. */
export function facesChanged() {
  sets = null;
}

export async function startFaceSets() {
  byId("face-set").addEventListener("change", () => choose(byId("face-set").value));
  byId("face-sets-button").addEventListener("click", manage);
  byId("face-set-form").addEventListener("submit", create);
  await refresh().catch(() => {});
}

function listed() {
  sets ??= call("GET", "face_sets").then((reply) => reply.face_sets);
  const asked = sets;
  // Do not keep a failed reply.
  asked.catch(() => sets === asked && facesChanged());
  return asked;
}

async function refresh() {
  const known = await listed();
  if (!known.some(({ face_set: name }) => name === current)) choose(DEFAULT);
  byId("face-set").replaceChildren(
    ...known.map(({ face_set: name }) => element("option", { value: name, selected: name === current }, name)),
  );
  byId("face-set-list").replaceChildren(...known.map(row));
}

function choose(name) {
  if (name === current) return;
  current = name;
  sessionStorage.setItem(STORED, name);
  byId("face-set").value = name;
  listeners.forEach((listener) => listener());
}

function row({ face_set: name, faces }) {
  const remove = iconButton("bin", `Delete face set ${name}`, () => discard(name, faces));
  remove.hidden = name === DEFAULT;
  return element("li", {}, element("span", {}, element("strong", {}, name), element("span", { className: "quiet" }, plural(faces, "face"))), remove);
}

async function manage() {
  byId("face-sets-dialog").showModal();
  facesChanged();
  await attempt(byId("face-sets-alert"), refresh);
}

async function create(event) {
  event.preventDefault();
  const name = byId("new-face-set").value.trim();
  await attempt(byId("face-sets-alert"), async () => {
    const { created } = await call("POST", "face_sets", { face_set: name });
    byId("new-face-set").value = "";
    facesChanged();
    await refresh();
    choose(name);
    notify(created ? `Created face set ${name} and switched to it.` : `Face set ${name} already exists. Switched to it.`);
  });
}

async function discard(name, faces) {
  if (!(await confirmed(`Delete face set ${name} with its ${plural(faces, "face")}? This cannot be undone.`, "Delete"))) return;
  const state = byId("face-sets-state");
  await attempt(byId("face-sets-alert"), async () => {
    let removed = 0;
    // One request removes as many faces as its time allows.
    for (let done = false; !done; ) {
      state.textContent = `Deleting ${name}: ${removed.toLocaleString("en")} of ${plural(faces, "face")} removed …`;
      const reply = await call("DELETE", `face_sets/${encodeURIComponent(name)}`);
      removed += reply.removed;
      done = reply.done;
    }
    notify(`Deleted face set ${name}.`);
  });
  state.textContent = "";
  facesChanged();
  await attempt(byId("face-sets-alert"), refresh);
}
