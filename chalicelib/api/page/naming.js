// The panel beside a picture: names one face, renames it and removes it.

import { byId, element, onClick, write } from "./dom.js";
import { Matches } from "./matches.js";
import { asName, NO_NAME, samePerson } from "./names.js";
import { complain } from "./notices.js";
import { namesLike, whenTyped } from "./suggestions.js";
import { turned } from "./words.js";

const field = byId("add-name");

let matches;
let save;
let face = null;
// What the field showed before the user typed.
let proposed = "";
let stopTyping;

/** `save` and `remove` get the shown face; `save` also its new name. `changed` follows the slider. */
export function startNaming(actions) {
  ({ save } = actions);
  matches = new Matches(byId("find-matches"), { pick: (name) => save(face, name), changed: actions.changed });
  byId("add-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = asName(field.value);
    if (samePerson(name, NO_NAME)) complain(byId("add-alert"), `“${name}” stands for faces without a name. Use another name.`);
    else save(face, name);
  });
  onClick("add-undo", () => actions.remove(face));
  field.addEventListener("input", showAction);
  stopTyping = whenTyped(field, suggest);
}

/** Show a face. `guess` is the match that its name is taken from, if it has none of its own. */
export function showFace(shown, guess, thresholds) {
  face = shown;
  stopTyping();
  byId("add-alert").hidden = true;
  byId("add-known").replaceChildren();
  showQuality(face.quality);
  proposed = field.value = "";
  showName(guess);
  return showMatches(face, thresholds);
}

export function showMatches({ matches: found, truncated }, thresholds) {
  return matches.show(found, thresholds, truncated);
}

/** Show the face's name or guess, and keep what the user has typed. */
export function showName(guess) {
  const name = face.known?.name || guess?.face_name || "";
  if (field.value === proposed) field.value = name;
  proposed = name;
  write("panel-title", face.known?.name || (guess ? `${guess.face_name}?` : "Who is this?"));
  showAction();
  byId("add-done").hidden = !face.known;
  byId("add-undo").ariaLabel = `Remove ${face.known?.name || "this face"} from the face set`;
}

/** Say on the button what it does with the name in the field. */
function showAction() {
  const confirms = proposed && samePerson(field.value, proposed);
  write("add-button", face.known?.name ? "Rename" : confirms ? "Confirm" : "Add");
}

/** Move the focus to the name, unless that would open a touch screen's keyboard. */
export function focusName() {
  if (matchMedia("(pointer: coarse)").matches) byId("panel-title").focus({ preventScroll: true });
  else {
    field.focus({ preventScroll: true });
    field.select();
  }
}

async function suggest() {
  const typed = field.value;
  const names = (await namesLike(typed)).filter((name) => !samePerson(name, typed));
  // The user has typed on or chosen another face.
  if (field.value !== typed) return;
  byId("add-known").replaceChildren(
    ...names.map((name) => element("li", {}, element("button", { onclick: () => save(face, name) }, name))),
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
  write("panel-quality", reasons.length ? `Hard to recognise: ${reasons.join("; ")}.` : "Good to recognise");
}

const percent = (share) => `${Math.round(share * 100)} %`;
