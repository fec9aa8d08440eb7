// Which face set is worked with, and the face sets that there are.

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

/** Call when another face set is chosen. */
export const whenFaceSetChanges = (listener) => listeners.push(listener);

/** How many faces are in a face set; null when it is not known. */
export async function facesIn(name) {
  const known = await listed().catch(() => []);
  return known.find(({ face_set: other }) => other === name)?.faces ?? null;
}

/** Faces were added or removed: what is known of the face sets is out of date. */
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
  // A failure is not kept.
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
    notify(created ? `Face set ${name} was created, and is in use now.` : `Face set ${name} was there already. It is in use now.`);
  });
}

async function discard(name, faces) {
  if (!(await confirmed(`Delete face set ${name} with its ${plural(faces, "face")}? This cannot be undone.`, "Delete"))) return;
  const state = byId("face-sets-state");
  await attempt(byId("face-sets-alert"), async () => {
    let removed = 0;
    // The service removes as many as it can in one request.
    for (let done = false; !done; ) {
      state.textContent = `Deleting ${name}: ${removed.toLocaleString("en")} of ${plural(faces, "face")} are gone …`;
      const reply = await call("DELETE", `face_sets/${encodeURIComponent(name)}`);
      removed += reply.removed;
      done = reply.done;
    }
    notify(`Face set ${name} was deleted.`);
  });
  state.textContent = "";
  facesChanged();
  await attempt(byId("face-sets-alert"), refresh);
}
