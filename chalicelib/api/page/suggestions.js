// Suggests people of the face set while the user types a name.

import { call } from "./api.js";
import { byId, element } from "./dom.js";
import { faceSet } from "./face_sets.js";
import { asName } from "./names.js";

const PAUSE_MILLISECONDS = 250;
const SUGGESTED = 100;
// Typed with an error, a name is still found by its first letters.
const FIRST_LETTERS = 3;

/** Call `listener` with the event when the user stops typing in `field`. Returns a function that stops waiting. */
export function whenTyped(field, listener) {
  let waiting = 0;
  const stop = () => clearTimeout(waiting);
  field.addEventListener("input", (event) => {
    stop();
    waiting = setTimeout(listener, PAUSE_MILLISECONDS, event);
  });
  return stop;
}

/** Return the names of people with these letters, or these first letters, in their names. */
export async function namesLike(letters) {
  const typed = asName(letters);
  const parts = typed ? new Set([typed, [...typed].slice(0, FIRST_LETTERS).join("")]) : [];
  const found = new Set();
  for (const name of parts) {
    // Without suggestions the field still works.
    const { people } = await call("GET", "people", { name, limit: SUGGESTED, face_set: faceSet() }).catch(() => ({ people: [] }));
    people.forEach((person) => found.add(person.name));
  }
  return [...found];
}

/** Suggest names in every field with a list. */
export function startSuggestions() {
  whenTyped(document, async ({ target }) => {
    if (!target.list) return;
    const names = await namesLike(target.value);
    byId("known").replaceChildren(...names.map((value) => element("option", { value })));
  });
}
