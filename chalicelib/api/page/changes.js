// Renames people, and makes several one.

import { call, finished } from "./api.js";
import { confirmed } from "./dialogs.js";
import { faceSet, facesChanged } from "./face_sets.js";
import { personPath, samePerson } from "./names.js";

const CANDIDATES = 100;
const names = new Intl.ListFormat("en");

/** Return the person of the face set with this name, or null. */
export async function personNamed(name, signal = undefined) {
  const { people } = await call("GET", "people", { name, limit: CANDIDATES, face_set: faceSet() }, signal);
  return people.find((person) => samePerson(person.name, name)) ?? null;
}

/** Give people one name, after a question if several become one. Resolves to whether they have it. */
export async function renamed(people, name) {
  let merge = people.length > 1;
  if (merge && !(await together(people, name))) return false;
  for (const person of people) {
    try {
      await rename(person, name, merge);
    } catch (error) {
      // Somebody else has the name. The refusal says how to allow it.
      if (!error.detail?.includes("merge=true")) throw error;
      merge = await together(people, name);
      if (!merge) return false;
      await rename(person, name, merge);
    }
  }
  facesChanged();
  return true;
}

function rename(person, name, merge) {
  return finished("PUT", personPath(person.name), { name, merge, face_set: faceSet() }).catch((error) => {
    // A request before this one, without a reply, renamed everything.
    if (error.code !== "1006") throw error;
  });
}

async function together(people, name) {
  const known = await personNamed(name);
  const all = known && !people.some((person) => samePerson(person.name, name)) ? [...people, known] : people;
  const question = `${names.format(all.map((person) => person.name))} will be one person, ${name}. This cannot be undone.`;
  return confirmed(question, "Merge", { pictures: all.map(({ cover }) => cover) });
}
