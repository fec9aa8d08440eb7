// People: lists, searches, renames and removes the faces of a face set.

import { call } from "./api.js";
import { crop } from "./crops.js";
import { confirmed, named } from "./dialogs.js";
import { byId, element, iconButton } from "./dom.js";
import { faceSet, facesChanged, facesIn, whenFaceSetChanges } from "./face_sets.js";
import { Matches } from "./matches.js";
import { attempt, notify, say } from "./notices.js";

const PAGE = 48;
const PAUSE_MILLISECONDS = 250;

const days = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
let matches;
let work = new AbortController();
let cursor = null;
let typing = 0;

export function startPeople() {
  matches = new Matches(byId("alike-matches"));
  byId("people-name").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(showPeople, PAUSE_MILLISECONDS);
  });
  byId("people-form").addEventListener("submit", (event) => {
    event.preventDefault();
    showPeople();
  });
  byId("people-more").addEventListener("click", showMore);
  whenFaceSetChanges(() => !byId("people").hidden && showPeople());
}

/** Load the first page again. */
export async function showPeople() {
  clearTimeout(typing);
  work.abort();
  work = new AbortController();
  cursor = null;
  byId("people-empty").hidden = true;
  byId("people-more").hidden = true;
  byId("people-list").replaceChildren(...Array.from({ length: 6 }, () => element("li", { className: "skeleton", "aria-hidden": "true" })));
  byId("people-state").textContent = "Loading …";
  const ok = await page(work.signal, true);
  if (!ok && !byId("people-alert").hidden) {
    byId("people-list").replaceChildren();
    byId("people-state").textContent = "";
  }
}

async function showMore() {
  const last = byId("people-list").lastElementChild;
  if (await page(work.signal, false)) last.nextElementSibling?.querySelector("button").focus();
}

async function page(signal, first) {
  const name = byId("people-name").value.trim();
  byId("people-more").disabled = true;
  const loaded = await attempt(byId("people-alert"), async () => {
    const wanted = { limit: PAGE, cursor: cursor ?? undefined, name: name || undefined, face_set: faceSet() };
    const reply = await call("GET", "faces", wanted, signal);
    cursor = reply.next_cursor;
    if (first) byId("people-list").replaceChildren();
    byId("people-list").append(...reply.faces.map(card));
    await summarise(name);
    return true;
  });
  byId("people-more").disabled = false;
  return loaded;
}

async function summarise(name) {
  const shown = byId("people-list").children.length;
  byId("people-more").hidden = cursor === null;
  byId("people-empty").hidden = shown > 0 || name !== "";
  const total = name || cursor === null ? null : await facesIn(faceSet());
  const of = total ? ` of ${total.toLocaleString("en")}` : cursor === null ? "" : "+";
  const having = name ? ` with “${name}” in the name` : "";
  byId("people-state").textContent = shown || name ? `${shown || "No"}${of} face${shown === 1 ? "" : "s"}${having}` : "";
  say(byId("people-state").textContent);
}

function card({ face_token: token, face_name: name, added_at: addedAt }) {
  const title = element("strong", {}, name);
  const made = element(
    "li",
    { className: "person" },
    crop(token),
    element("div", { className: "who" }, title, element("time", { className: "quiet", dateTime: addedAt }, days.format(new Date(addedAt)))),
  );
  const label = () => title.textContent;
  const search = iconButton("search", `Find faces like ${name}`, () => alike(token, label()));
  const rename = iconButton("pen", `Rename ${name}`, async () => {
    const other = await named(`Rename ${label()}`, label());
    if (other === null || other === label()) return;
    await attempt(byId("people-alert"), async () => {
      await call("PUT", `faces/${token}`, { face_name: other });
      notify(`Renamed ${label()} to ${other}.`);
      title.textContent = other;
      [[search, "Find faces like"], [rename, "Rename"], [remove, "Remove"]].forEach(([button, verb]) => {
        button.title = button.ariaLabel = `${verb} ${other}`;
      });
    });
  });
  const remove = iconButton("bin", `Remove ${name}`, () => discard(made, token, label()));
  made.append(element("div", { className: "row actions" }, search, rename, remove));
  return made;
}

async function discard(made, token, name) {
  if (!(await confirmed(`Remove this face of ${name}? Its picture and all its data are erased.`, "Remove"))) return;
  await attempt(byId("people-alert"), async () => {
    await call("DELETE", `faces/${token}`);
    facesChanged();
    const neighbour = made.nextElementSibling ?? made.previousElementSibling;
    made.remove();
    await summarise(byId("people-name").value.trim());
    notify(`Removed a face of ${name}.`);
    (neighbour?.querySelector("button") ?? byId("people-name")).focus();
  });
}

async function alike(token, name) {
  const searching = new AbortController();
  byId("alike-title").textContent = `Faces like ${name}`;
  byId("alike-dialog").addEventListener("close", () => searching.abort(), { once: true });
  byId("alike-dialog").showModal();
  await matches.search(token, searching.signal);
}
