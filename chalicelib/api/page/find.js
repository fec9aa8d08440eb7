// Find: opens a picture, names everyone in it, and goes from one unnamed face to the next.

import { call } from "./api.js";
import { byId, plural } from "./dom.js";
import { faceSet, facesChanged, whenFaceSetChanges } from "./face_sets.js";
import { identified, searchedAgain } from "./identify.js";
import { samePerson } from "./names.js";
import { focusName, showFace, showMatches, showName, startNaming } from "./naming.js";
import { attempt, notify, say } from "./notices.js";
import { cutOut, prepared } from "./picture.js";
import { threshold } from "./scale.js";
import { acceptDrops, acceptPictures } from "./sources.js";
import { Stage } from "./stage.js";
import { startWelcome, welcome } from "./welcome.js";
import { looks } from "./words.js";

// After an addition, the faces without a name are searched again, unless there are more than this.
const MOST_SEARCHED_AGAIN = 20;

let stage;
let work = new AbortController();
let faces = [];
let known = [];
let chosen = -1;
let saving = false;

export function startFind() {
  stage = new Stage(byId("find-stage"), (index) => goTo(index), (index) => save(faces[index], guess(faces[index]).face_name));
  startNaming({ save, remove, changed: relabel });
  const { choose: button, input, camera } = acceptPictures(byId("find-drop"), open);
  acceptDrops(byId("find-stage"), ([file]) => file && open(file));
  byId("find-another").addEventListener("click", () => input.click());
  byId("find-camera").addEventListener("click", () => camera.click());
  byId("find-camera").hidden = camera.hidden;
  byId("find-clear").addEventListener("click", () => {
    close();
    button.focus();
  });
  byId("face-previous").addEventListener("click", () => choose((chosen + faces.length - 1) % faces.length));
  byId("face-next").addEventListener("click", () => choose((chosen + 1) % faces.length));
  byId("similar-no").addEventListener("click", () => {
    byId("find-similar").hidden = true;
    focusName();
  });
  startWelcome(open);
  whenFaceSetChanges(() => (stage.picture ? again() : welcome()));
}

function begin() {
  work.abort();
  work = new AbortController();
  return work.signal;
}

function close() {
  begin();
  stage.clear();
  faces = [];
  byId("find").classList.remove("with-picture");
  byId("find-alert").hidden = true;
  showPanel();
  welcome();
}

async function open(file) {
  close();
  const signal = begin();
  const focused = document.activeElement;
  await attempt(byId("find-alert"), async () => {
    byId("find").classList.add("with-picture");
    // The button that had the focus is hidden now.
    if (focused === document.body || !focused.checkVisibility()) byId("find-state").focus();
    byId("find-state").textContent = "Opening the picture …";
    byId("find-note").textContent = "";
    const picture = await prepared(file, signal);
    stage.show(picture, "Your picture");
    byId("find-note").textContent = picture.note;
    await identify(signal);
  });
  // The file was not a picture, so there is nothing to show.
  if (!signal.aborted && !stage.picture) {
    byId("find").classList.remove("with-picture");
    (focused !== document.body && focused.checkVisibility() ? focused : byId("main")).focus();
  }
}

/** Identify the same picture again, because the face set is another one or a face's token has become invalid. */
async function again(index = -1) {
  const signal = begin();
  faces = [];
  stage.draw([], []);
  showPanel();
  await attempt(byId("find-alert"), () => identify(signal, index));
}

async function identify(signal, index = -1) {
  byId("find-state").textContent = "Looking for faces …";
  say("Looking for faces");
  stage.busy("Looking for faces …");
  try {
    ({ faces, known } = await identified(stage.picture, signal));
  } catch (error) {
    if (!signal.aborted) byId("find-state").textContent = "";
    throw error;
  } finally {
    // Another picture or face set, chosen meanwhile, is busy itself.
    if (!signal.aborted) stage.idle();
  }
  stage.draw(faces, faces.map(label));
  showState();
  say(byId("find-state").textContent);
  byId("panel-hint").textContent = faces.length
    ? "Everyone has a name. Choose a face to see who looks alike, or to rename it."
    : "A face must be at least 30 pixels in size and roughly face the camera. Try a larger or sharper picture.";
  const first = faces[index] ? index : faces.length === 1 ? 0 : unnamedAfter(-1);
  if (first < 0) return;
  choose(first);
  if (document.activeElement === byId("find-state")) focusName();
}

function showPanel() {
  byId("panel-face").hidden = true;
  byId("panel-empty").hidden = false;
  byId("find-similar").hidden = true;
  chosen = -1;
}

function showState() {
  const { width, height } = stage.picture;
  const count = (kind) => faces.map(label).filter((made) => made.kind === kind).length;
  const counts = [[count("saved"), "named"], [count("guess"), "to confirm"], [count("unknown"), "without a name"]];
  const parts = counts.filter(([number]) => number).map(([number, words]) => `${number} ${words}`);
  const found = faces.length ? `${plural(faces.length, "face")}: ${parts.join(", ")}` : "No face found";
  byId("find-state").textContent = `${found} (${width} × ${height} px)`;
}

/** Return the match that a face probably shows, or undefined. */
function guess({ known: own, matches }) {
  return !own?.name && matches[0]?.distance <= threshold(known) ? matches[0] : undefined;
}

function label(face, index) {
  const name = face.known?.name;
  const likely = guess(face);
  const place = `face ${index + 1} of ${faces.length}`;
  return {
    text: name || (likely ? `${likely.face_name}?` : "Who is this?"),
    more: ` ${place}, ${looks(face.quality)}`,
    kind: name ? "saved" : likely ? "guess" : "unknown",
    yes: likely && `Confirm ${likely.face_name}, ${place}`,
  };
}

/** The slider, or an addition, has changed the guesses. */
function relabel() {
  stage.label(faces.map(label));
  showState();
  if (chosen >= 0) showName(guess(faces[chosen]));
}

function choose(index) {
  chosen = index;
  const face = faces[index];
  stage.mark(index);
  byId("panel-empty").hidden = true;
  byId("panel-face").hidden = false;
  byId("panel-place").textContent = faces.length > 1 ? `Face ${index + 1} of ${faces.length}` : "";
  byId("panel-steps").hidden = faces.length < 2;
  byId("panel-crop").replaceChildren(cutOut(stage.picture.bitmap, face));
  attempt(byId("add-alert"), () => showFace(face, guess(face), known));
}

function goTo(index) {
  choose(index);
  focusName();
  // On a phone the panel is below the picture.
  byId("add-form").scrollIntoView({ block: "nearest" });
}

/** Return the index of the next face without a name, or -1. */
function unnamedAfter(index) {
  const order = faces.map((_, step) => (index + 1 + step) % faces.length);
  return order.find((other) => !faces[other].known?.name) ?? -1;
}

/** Give a face a name in the face set, then go to the next face without one. */
async function save(face, name, next = true) {
  if (saving) return;
  saving = true;
  const before = face.known;
  await attempt(byId(chosen < 0 ? "find-alert" : "add-alert"), async () => {
    const wanted = { face_token: before?.token ?? face.face_token, face_name: name, face_set: faceSet(), check: "true" };
    const { face_token: token, similar } = await call("POST", "addface", wanted);
    notify(before?.name ? `Renamed ${before.name} to ${name}.` : `Added ${name} to the face set.`);
    facesChanged();
    face.known = { token, name };
    // Another picture or face set is shown meanwhile.
    if (!faces.includes(face)) return;
    relabel();
    const unnamed = next ? unnamedAfter(faces.indexOf(face)) : -1;
    showSimilar(face, similar[0]);
    goTo(unnamed >= 0 ? unnamed : faces.indexOf(face));
    searchAgain();
  });
  saving = false;
}

/** Offer to give a face the name of a person who looks very much like it. */
function showSimilar(face, match) {
  byId("find-similar").hidden = !match || samePerson(match.face_name, face.known.name);
  if (byId("find-similar").hidden) return;
  const other = match.face_name;
  byId("similar-words").textContent = `${face.known.name} looks like ${other}: the same person?`;
  byId("similar-yes").textContent = `Yes, rename to ${other}`;
  byId("similar-yes").onclick = () => save(face, other, false);
}

async function searchAgain() {
  const { signal } = work;
  const rest = faces.filter((face) => !face.known);
  if (rest.length > MOST_SEARCHED_AGAIN) return;
  try {
    for (const face of rest) {
      const found = await searchedAgain(face, known, signal);
      // It got a name meanwhile.
      if (face.known) continue;
      Object.assign(face, found);
      relabel();
      if (faces[chosen] === face) await showMatches(face, known);
    }
  } catch {
    // The guesses from before stay.
  }
}

async function remove(face) {
  await attempt(byId("add-alert"), async () => {
    await call("POST", "removeface", { face_token: face.known.token });
    notify(`Removed ${face.known.name || "the face"} from the face set.`);
    facesChanged();
    // The button is about to be hidden.
    byId("find-state").focus();
    // The removed face's token is invalid now, so the face needs a new one.
    if (faces.includes(face)) await again(faces.indexOf(face));
  });
}
