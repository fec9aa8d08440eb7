// A person's page: all pictures of a person, or all faces without a name.

import { call } from "./api.js";
import { personNamed, renamed } from "./changes.js";
import { crop } from "./crops.js";
import { named } from "./dialogs.js";
import { byId, element, onClick, plural, write } from "./dom.js";
import { faceSet, facesChanged } from "./face_sets.js";
import { NO_NAME, personPath, samePerson } from "./names.js";
import { attempt, notify } from "./notices.js";
import { hiddenOf, remove, whenRemovalsChange } from "./removals.js";
import { address, go } from "./route.js";
import { view } from "./viewer.js";

const menu = byId("person-menu");

// The person of the page, as /people gives it.
let person = null;

/** Return the key of a person in lists and removals. */
export const personKey = (name) => `${faceSet()}/${name.toLowerCase()}`;

/** Return the request that removes a person. */
export const personRemoval = (name) => ({ path: personPath(name), fields: { face_set: faceSet() }, person: personKey(name) });

/** Return the request that removes a person's face. */
export const faceRemoval = (token, name) => ({ key: token, path: `faces/${token}`, person: personKey(name) });

/** Return the faces without a name, of a reply of /faces. */
export const withoutName = (faces) => faces.filter((face) => samePerson(face.face_name, NO_NAME));

/** Fill the page's head and return its faces as a source of the list. */
export function facesOf(name) {
  const unnamed = samePerson(name, NO_NAME);
  person = { name, faces: 0 };
  showCover();
  menu.open = false;
  menu.hidden = byId("person-rename").hidden = true;
  showTitle(unnamed ? "Unnamed" : name);
  const source = {
    empty: "person-empty",
    label: ({ number }) => (unnamed ? `Unnamed picture ${number}` : `Picture ${number} of ${person.name}`),
    words: ({ length }) => `${length === 1 ? "a picture" : `${length} pictures`} ${unnamed ? "without a name" : `of ${person.name}`}`,
    page: async (fields, signal) => {
      const first = !unnamed && !fields.cursor;
      const [{ faces, next_cursor }, known] = await Promise.all([
        unnamed
          ? call("GET", "faces", { ...fields, name: NO_NAME, match: "start" }, signal)
          : call("GET", `${personPath(name)}/faces`, fields, signal).catch(none),
        first ? personNamed(name, signal) : null,
      ]);
      if (first) {
        person = known ?? { name: faces[0]?.face_name ?? name, cover: faces[0]?.face_token, faces: 0 };
        showTitle(person.name);
        showCover(person.cover);
        menu.hidden = byId("person-rename").hidden = !faces.length;
      }
      return { items: (unnamed ? withoutName(faces) : faces).map((face) => ({ ...face, key: face.face_token, cover: face.face_token })), next_cursor };
    },
    card: (item, number) => {
      item.number = number;
      const label = source.label(item);
      return { open: element("button", { "aria-label": label, onclick: () => view(item, source) }, crop(item.key)), label };
    },
    summary: ({ length }, complete) => {
      if (!complete && !person.faces) return `${length}+ pictures`;
      const count = complete ? length : person.faces - hiddenOf(personKey(name));
      return count ? plural(count, "picture") : "";
    },
    removal: ({ key }) => faceRemoval(key, name),
    move: async (items, other) => {
      for (const { key } of items) await call("PUT", `faces/${key}`, { face_name: other });
      facesChanged();
      return true;
    },
    cover: unnamed ? null : chooseCover,
  };
  return source;
}

function none(error) {
  if (error.code !== "1006") throw error;
  return { faces: [], next_cursor: null };
}

function showTitle(title) {
  write("person-name", title);
  document.title = `${title} – Face search`;
  byId("person-rename").title = `Rename ${title}`;
  byId("person-more").ariaLabel = `More for ${title}`;
  write("person-missing", `There are no pictures of ${title} in this face set.`);
}

function showCover(token = "") {
  byId("person-cover").replaceChildren(token && crop(token));
}

async function chooseCover({ key }) {
  await attempt(byId("viewer-alert"), async () => {
    await call("PUT", personPath(person.name), { cover: key, face_set: faceSet() });
    person.cover = key;
    showCover(key);
    notify(`This picture is now the cover of ${person.name}.`);
  });
}

async function rename(title, given, yes) {
  const { name, cover } = person;
  const other = await named(title, given, { yes, pictures: [cover] });
  if (other === null || other === name) return;
  await attempt(byId("people-alert"), async () => {
    if (!(await renamed([person], other))) return;
    notify(`Renamed ${name} to ${other}.`);
    go(address({ view: "people", person: other }), { replace: true });
  });
}

function removeAll() {
  const { name } = person;
  remove([{ key: personKey(name), ...personRemoval(name) }], `all pictures of ${name}`);
  go(address({ view: "people" }));
}

export function startPerson() {
  whenRemovalsChange((removed) => {
    for (const { person: key } of removed) if (person && key === personKey(person.name)) person.faces -= 1;
  });
  const close = () => {
    // The focus must not go with the menu.
    if (menu.querySelector("div").contains(document.activeElement)) byId("person-more").focus();
    menu.open = false;
  };
  onClick("person-merge", () => rename(`Merge ${person.name} with …`, "", "Merge"));
  onClick("person-remove", removeAll);
  onClick("person-rename", () => rename(`Rename ${person.name}`, person.name, "Rename"));
  // Before the action, so that its dialog returns the focus to the button.
  addEventListener("click", ({ target }) => byId("person-more").contains(target) || close(), true);
  menu.addEventListener("keydown", ({ key }) => key === "Escape" && close());
}
