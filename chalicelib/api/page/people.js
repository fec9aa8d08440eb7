// People: everyone in the face set, found by any part of a name.

import { call } from "./api.js";
import { renamed } from "./changes.js";
import { crop } from "./crops.js";
import { byId, element, number, plural } from "./dom.js";
import { list, startList } from "./list.js";
import { NO_NAME } from "./names.js";
import { facesOf, personKey, personRemoval, startPerson, withoutName } from "./person.js";
import { hiddenOf } from "./removals.js";
import { address, currentRoute, go } from "./route.js";
import { selectFrom, startSelection } from "./selection.js";
import { whenTyped } from "./suggestions.js";
import { startViewer } from "./viewer.js";

// Faces without a name are counted up to here.
const MOST_UNNAMED = 100;

let stopTyping;

export function startPeople() {
  // Before the list, which shows how many pictures a person has.
  startPerson();
  startList();
  startSelection();
  startViewer();
  stopTyping = whenTyped(byId("people-name"), search);
  byId("people-form").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
}

function search() {
  stopTyping();
  const name = byId("people-name").value.trim();
  const before = currentRoute().name;
  // Back leads from a search to everyone, not through its letters.
  if (name !== before) go(address({ view: "people", name }), { replace: before !== "" });
}

/** Show a route's people or person. */
export function showPeople({ person, name, set }, place, before) {
  const field = byId("people-name");
  stopTyping();
  byId("people-all").hidden = person !== "";
  byId("person").hidden = person === "";
  byId("person-back").href = address({ view: "people" });
  if (field !== document.activeElement || name !== field.value.trim()) field.value = name;
  const source = person ? facesOf(person) : peopleNamed(name, set);
  selectFrom(source);
  list(source, place);
  const { activeElement } = document;
  // A row or a hidden button had the focus.
  if (before && (activeElement === document.body || !activeElement.checkVisibility())) {
    byId(person ? "person-name" : "people-title").focus({ preventScroll: true });
  }
}

function peopleNamed(part, set) {
  return {
    empty: part ? "" : "people-empty",
    words: (items) => `all pictures of ${items.length === 1 ? items[0].name : `${items.length} people`}`,
    page: async (fields, signal) => {
      const [{ people, next_cursor }, unnamed] = await Promise.all([
        call("GET", "people", { ...fields, name: part || undefined }, signal),
        // Only the first page of everyone has them.
        part || fields.cursor ? null : call("GET", "faces", { name: NO_NAME, match: "start", limit: MOST_UNNAMED, face_set: set }, signal),
      ]);
      const items = people.map((person) => ({ ...person, key: personKey(person.name) }));
      const faces = withoutName(unnamed?.faces ?? []);
      if (faces.length || unnamed?.next_cursor) {
        items.unshift({ name: NO_NAME, key: personKey(NO_NAME), cover: faces[0]?.face_token, faces: faces.length, more: unnamed.next_cursor });
      }
      return { items, next_cursor };
    },
    card,
    summary: (items, complete) => {
      const { length } = items.filter(({ name }) => name !== NO_NAME);
      const count = complete ? plural(length, "person", "people") : `${number(length)}+ people`;
      if (part) return `${length ? count : "No people"} with “${part}” in the name`;
      return length ? count : "";
    },
    removal: ({ name }) => personRemoval(name),
    move: renamed,
  };
}

function card({ name, key, cover, faces, more }) {
  const count = Math.max(0, faces - hiddenOf(key));
  const title = name === NO_NAME ? "Unnamed" : name;
  const words = more ? `${count}+ pictures` : plural(count, "picture");
  const open = element(
    "a",
    { href: address({ view: "people", person: name }) },
    crop(cover),
    element("strong", {}, title),
    " ",
    element("span.quiet", {}, words),
  );
  return { open, label: name === NO_NAME ? "" : name };
}
