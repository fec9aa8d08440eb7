// Removes people and faces ten seconds later, or when the page is left, unless the removal is undone.

import { finished, sendOnLeaving } from "./api.js";
import { byId } from "./dom.js";
import { facesChanged } from "./face_sets.js";
import { offer, say, withdraw } from "./notices.js";
import { go } from "./route.js";
import { explained } from "./words.js";

const UNDO_MILLISECONDS = 10_000;
// Browsers send only so many requests of a page that is closing.
const MOST_ON_LEAVING = 100;

const listeners = [];
// The things that are hidden, by key: their removal waits or runs.
const hidden = new Map();
let waiting = null;
let timer = 0;

export const isHidden = (key) => hidden.has(key);

/** Return how many hidden faces are a person's. */
export const hiddenOf = (person) => [...hidden.values()].filter((thing) => thing.person === person).length;

/** Call `listener` when things were hidden or shown again, with those that are removed for good. */
export const whenRemovalsChange = (listener) => listeners.push(listener);

/** Remove `things`, each `{key, path, fields, person}`. `words` names them. `focus` follows an undo in the same view. */
export function remove(things, words, focus = () => focusThing(things[0].key)) {
  commit();
  waiting = { things, words, focus, hash: location.hash, y: scrollY };
  hide(things);
  timer = setTimeout(commit, UNDO_MILLISECONDS);
  offer(`Removed ${words}.`, "Undo", undo);
}

export function startRemovals() {
  addEventListener("keydown", (event) => {
    if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.target.matches("input") || !waiting) return;
    event.preventDefault();
    undo();
  });
  addEventListener("pagehide", () => {
    clearTimeout(timer);
    waiting = null;
    withdraw();
    hidden.forEach(({ path, fields }) => sendOnLeaving("DELETE", path, fields));
  });
  addEventListener("beforeunload", (event) => hidden.size > MOST_ON_LEAVING && event.preventDefault());
}

function hide(things) {
  things.forEach((thing) => hidden.set(thing.key, thing));
  changed();
}

function restore(things) {
  things.forEach(({ key }) => hidden.delete(key));
  changed();
}

const changed = (removed = []) => listeners.forEach((listener) => listener(removed));

/** Undo the removal that waits, if it removes the thing with this key. */
export function keep(key) {
  if (waiting?.things.some((thing) => thing.key === key)) cancel();
}

function cancel() {
  const { things } = waiting;
  clearTimeout(timer);
  waiting = null;
  withdraw();
  restore(things);
}

function undo() {
  const { things, focus, hash, y } = waiting;
  cancel();
  say("Nothing was removed.");
  // The list shows the rows again, with their focus, when it is loaded again.
  if (location.hash !== hash) go(hash, { place: { y, key: things[0].key } });
  else focus();
}

function focusThing(key) {
  (document.querySelector(`[data-key="${CSS.escape(key)}"] .open`) ?? byId("main")).focus();
}

function commit() {
  clearTimeout(timer);
  if (!waiting) return;
  const { things, words } = waiting;
  waiting = null;
  withdraw();
  send(things, words);
}

async function send(things, words) {
  let done = 0;
  try {
    for (const thing of things) {
      await finished("DELETE", thing.path, thing.fields).catch((error) => {
        // Somebody else removed it.
        if (error.code !== "1006") throw error;
      });
      hidden.delete(thing.key);
      changed([thing]);
      done += 1;
    }
  } catch (error) {
    const rest = things.slice(done);
    restore(rest);
    offer(`Could not remove ${words}. ${explained(error)}`, "Retry", () => {
      withdraw();
      hide(rest);
      send(rest, words);
    });
  }
  facesChanged();
}
