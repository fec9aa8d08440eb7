// Keeps the selected face set and manages the list of face sets.

import { call, finished } from "./api.js";
import { confirmed } from "./dialogs.js";
import { byId, element, iconButton, number, onClick, plural } from "./dom.js";
import { attempt, notify } from "./notices.js";
import { whenBack } from "./recovery.js";
import { address, currentRoute, DEFAULT_SET, go, whenRouteChanges } from "./route.js";

const listeners = [];
let sets = null;

export const faceSet = () => currentRoute().set;

/** Call `listener` when another face set is chosen. */
export const whenFaceSetChanges = (listener) => whenRouteChanges(({ set }, _, before) => before && before.set !== set && listener());

/** Return how many faces are in a face set, or null if unknown. */
export async function facesIn(name) {
  const known = await listed().catch(() => []);
  return known.find(({ face_set: other }) => other === name)?.faces ?? null;
}

/** Call `listener` after this page changed faces. */
export const whenFacesChange = (listener) => listeners.push(listener);

/** Say that faces were added, renamed or removed. */
export function facesChanged() {
  forget();
  listeners.forEach((listener) => listener());
}

const forget = () => (sets = null);

export function startFaceSets() {
  byId("face-set").addEventListener("change", () => choose(byId("face-set").value));
  onClick("face-sets-button", manage);
  byId("face-set-form").addEventListener("submit", create);
  whenFaceSetChanges(load);
  load();
}

function load() {
  refresh().catch((error) => error.code !== "key" && whenBack(load));
}

function listed() {
  sets ??= call("GET", "face_sets").then((reply) => reply.face_sets);
  const asked = sets;
  // Do not keep a failed reply.
  asked.catch(() => sets === asked && forget());
  return asked;
}

async function refresh() {
  const known = await listed();
  if (!known.some(({ face_set: name }) => name === faceSet())) {
    notify(`There is no face set ${faceSet()}. This is the default one.`);
    choose(DEFAULT_SET, true);
  }
  byId("face-set").replaceChildren(
    ...known.map(({ face_set: name }) => element("option", { value: name, selected: name === faceSet() }, name)),
  );
  byId("face-set-list").replaceChildren(...known.map(row));
}

function choose(set, replace = false) {
  if (set !== faceSet()) go(address({ view: currentRoute().view, set }), { replace });
}

function row({ face_set: name, faces }) {
  const remove = iconButton("bin", `Delete face set ${name}`, () => discard(name, faces));
  remove.hidden = name === DEFAULT_SET;
  return element("li", {}, element("span", {}, element("strong", {}, name), element("span.quiet", {}, plural(faces, "face"))), remove);
}

async function manage() {
  byId("face-sets-dialog").showModal();
  forget();
  await attempt(byId("face-sets-alert"), refresh, { reads: true });
}

async function create(event) {
  event.preventDefault();
  const name = byId("new-face-set").value.trim();
  await attempt(byId("face-sets-alert"), async () => {
    const { created } = await call("POST", "face_sets", { face_set: name });
    byId("new-face-set").value = "";
    forget();
    await refresh();
    choose(name);
    notify(created ? `Created face set ${name} and switched to it.` : `Face set ${name} already exists. Switched to it.`);
  });
}

async function discard(name, faces) {
  const question = `Delete face set ${name} with its ${plural(faces, "face")}? This cannot be undone.`;
  if (!(await confirmed(question, "Delete", { typed: name }))) return;
  const state = byId("face-sets-state");
  const shown = (removed) => {
    state.textContent = `Deleting ${name}: ${number(removed)} of ${plural(faces, "face")} removed …`;
  };
  shown(0);
  await attempt(byId("face-sets-alert"), async () => {
    await finished("DELETE", `face_sets/${encodeURIComponent(name)}`, {}, shown);
    if (name === faceSet()) choose(DEFAULT_SET, true);
    forget();
    await refresh();
    // The button that had the focus is gone.
    byId("new-face-set").focus();
    notify(`Deleted face set ${name}.`);
  });
  state.textContent = "";
}
