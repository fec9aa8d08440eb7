// The panel beside a picture: names one face, renames it and removes it.

import { call } from "./api.js";
import { byId, element } from "./dom.js";
import { faceSet } from "./face_sets.js";
import { Matches } from "./matches.js";
import { asName, NO_NAME, samePerson } from "./names.js";
import { complain } from "./notices.js";
import { turned } from "./words.js";

const PAUSE_MILLISECONDS = 250;
const SUGGESTED = 100;
// Typed with an error, a name is still found by its first letters.
const FIRST_LETTERS = 3;

let matches;
let save;
let face = null;
// What the field showed before the user typed.
let proposed = "";
let typing = 0;

/** `save` and `remove` get the shown face; `save` also its new name. `changed` follows the slider. */
export function startNaming(actions) {
  ({ save } = actions);
  matches = new Matches(byId("find-matches"), { pick: (name) => save(face, name), changed: actions.changed });
  byId("add-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = asName(byId("add-name").value);
    if (samePerson(name, NO_NAME)) complain(byId("add-alert"), `“${name}” stands for faces without a name. Use another name.`);
    else save(face, name);
  });
  byId("add-undo").addEventListener("click", () => actions.remove(face));
  byId("add-name").addEventListener("input", () => {
    showAction();
    clearTimeout(typing);
    typing = setTimeout(suggest, PAUSE_MILLISECONDS);
  });
}

/** Show a face. `guess` is the match that its name is taken from, if it has none of its own. */
export function showFace(shown, guess, thresholds) {
  face = shown;
  clearTimeout(typing);
  byId("add-alert").hidden = true;
  byId("add-known").replaceChildren();
  showQuality(face.quality);
  proposed = byId("add-name").value = "";
  showName(guess);
  return showMatches(face, thresholds);
}

export function showMatches({ matches: found, truncated }, thresholds) {
  return matches.show(found, thresholds, truncated);
}

/** Show the face's name or guess, and keep what the user has typed. */
export function showName(guess) {
  const name = face.known?.name || guess?.face_name || "";
  const field = byId("add-name");
  if (field.value === proposed) field.value = name;
  proposed = name;
  byId("panel-title").textContent = face.known?.name || (guess ? `${guess.face_name}?` : "Who is this?");
  showAction();
  byId("add-done").hidden = !face.known;
  byId("add-undo").ariaLabel = `Remove ${face.known?.name || "this face"} from the face set`;
}

/** Say on the button what it does with the name in the field. */
function showAction() {
  const confirms = proposed && samePerson(byId("add-name").value, proposed);
  byId("add-button").textContent = face.known?.name ? "Rename" : confirms ? "Confirm" : "Add";
}

/** Move the focus to the name, unless that would open a touch screen's keyboard. */
export function focusName() {
  const field = byId("add-name");
  if (matchMedia("(pointer: coarse)").matches) byId("panel-title").focus({ preventScroll: true });
  else {
    field.focus({ preventScroll: true });
    field.select();
  }
}

async function suggest() {
  const typed = asName(byId("add-name").value);
  const parts = typed ? new Set([typed, [...typed].slice(0, FIRST_LETTERS).join("")]) : [];
  const found = new Map();
  for (const name of parts) {
    // Without suggestions the field still works.
    const reply = await call("GET", "people", { name, limit: SUGGESTED, face_set: faceSet() }).catch(() => ({ people: [] }));
    reply.people.forEach((person) => found.set(person.name, person));
  }
  // The user has typed on or chosen another face.
  if (asName(byId("add-name").value) !== typed) return;
  const names = [...found.keys()].filter((name) => !samePerson(name, typed));
  byId("add-known").replaceChildren(
    ...names.map((name) => element("li", {}, element("button", { type: "button", onclick: () => save(face, name) }, name))),
  );
}

function showQuality(quality) {
  const facts = [
    ["Size", `${Math.round(quality.size)} px`],
    ["Sharpness", percent(quality.sharpness)],
    ["Brightness", percent(quality.brightness)],
    ["Facing", turned(quality.pose)],
  ];
  byId("panel-facts").replaceChildren(...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  const { reasons } = quality;
  byId("panel-quality").className = `quality ${reasons.length ? "poor" : "good"}`;
  byId("panel-quality").textContent = reasons.length ? `Hard to recognise: ${reasons.join("; ")}.` : "Good to recognise";
}

const percent = (share) => `${Math.round(share * 100)} %`;
