// Find: opens a picture, names everyone in it, and goes from one unnamed face to the next.

import { call } from "./api.js";
import { byId, onClick, plural, write } from "./dom.js";
import { faceSet, facesChanged, whenFacesChange, whenFaceSetChanges } from "./face_sets.js";
import { identified, searchedAgain } from "./identify.js";
import { samePerson } from "./names.js";
import { focusName, showFace, showMatches, showName, startNaming } from "./naming.js";
import { attempt, notify, say } from "./notices.js";
import { faceRemoval, personKey } from "./person.js";
import { cutOut, prepared } from "./picture.js";
import { isHidden, keep, remove, whenRemovalsChange } from "./removals.js";
import { currentRoute, whenRouteChanges } from "./route.js";
import { threshold } from "./scale.js";
import { acceptDrops, acceptPictures } from "./sources.js";
import { Stage } from "./stage.js";
import { startWelcome, welcome } from "./welcome.js";
import { looks } from "./words.js";

// After an addition, the faces without a name are searched again, unless there are more than this.
const MOST_SEARCHED_AGAIN = 20;

const view = byId("find");
const state = byId("find-state");
const alert = byId("find-alert");

let stage;
let work = new AbortController();
let faces = [];
let known = [];
let chosen = -1;
let saving = false;
// Another view, or a removal, has changed faces.
let stale = false;

export function startFind() {
  stage = new Stage(byId("find-stage"), (index) => goTo(index), (index) => save(faces[index], guess(faces[index]).face_name));
  startNaming({ save, remove: removeFace, changed: relabel });
  const { choose: button, input, camera } = acceptPictures(byId("find-drop"), open);
  acceptDrops(byId("find-stage"), ([file]) => file && open(file));
  onClick("find-another", () => input.click());
  onClick("find-camera", () => camera.click());
  byId("find-camera").hidden = camera.hidden;
  onClick("find-clear", () => {
    close();
    button.focus();
  });
  onClick("face-previous", () => choose((chosen + faces.length - 1) % faces.length));
  onClick("face-next", () => choose((chosen + 1) % faces.length));
  onClick("similar-no", () => {
    byId("find-similar").hidden = true;
    focusName();
  });
  startWelcome(open);
  whenFaceSetChanges(() => (stage.picture ? again() : welcome()));
  whenRemovalsChange(() => faces.length && relabel());
  whenFacesChange(() => {
    stale ||= !saving;
    catchUp();
  });
  whenRouteChanges(catchUp);
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
  view.classList.remove("with-picture");
  alert.hidden = true;
  showPanel();
  welcome();
}

async function open(file) {
  close();
  const signal = begin();
  const focused = document.activeElement;
  await attempt(alert, async () => {
    view.classList.add("with-picture");
    // The button that had the focus is hidden now.
    if (focused === document.body || !focused.checkVisibility()) state.focus();
    write("find-state", "Opening the picture …");
    write("find-note", "");
    const picture = await prepared(file, signal);
    stage.show(picture, "Your picture");
    write("find-note", picture.note);
    await identify(signal);
  });
  // The file was not a picture, so there is nothing to show.
  if (!signal.aborted && !stage.picture) {
    view.classList.remove("with-picture");
    (focused !== document.body && focused.checkVisibility() ? focused : byId("main")).focus();
  }
}

/** Identify the same picture again, because the face set is another one. */
async function again() {
  const signal = begin();
  faces = [];
  stage.draw([], []);
  showPanel();
  await attempt(alert, () => identify(signal));
}

/** Take over the names that changed elsewhere, and new tokens for removed faces. */
async function catchUp() {
  if (!stale || !faces.length || currentRoute().view !== "find") return;
  stale = false;
  const entries = faces.map(({ entry }) => entry);
  const shown = faces;
  try {
    const fresh = await identified(stage.picture, work.signal);
    // Another picture or face set is shown meanwhile.
    if (faces !== shown) return;
    // A face that got a name meanwhile keeps it.
    faces.forEach((face, index) => face.entry === entries[index] && Object.assign(face, fresh.faces[index]));
    relabel();
    if (chosen >= 0) await showMatches(faces[chosen], known);
  } catch {
    // The names from before stay until the next change or visit.
    stale = true;
  }
}

async function identify(signal) {
  write("find-state", "Looking for faces …");
  say("Looking for faces");
  stage.busy("Looking for faces …");
  try {
    ({ faces, known } = await identified(stage.picture, signal));
  } catch (error) {
    if (!signal.aborted) write("find-state", "");
    throw error;
  } finally {
    // Another picture or face set, chosen meanwhile, is busy itself.
    if (!signal.aborted) stage.idle();
  }
  stage.draw(faces, []);
  relabel();
  say(state.textContent);
  byId("panel-hint").textContent = faces.length
    ? "Everyone has a name. Choose a face to see who looks alike, or to rename it."
    : "A face must be at least 30 pixels in size and roughly face the camera. Try a larger or sharper picture.";
  const first = faces.length === 1 ? 0 : unnamedAfter(-1);
  if (first < 0) return;
  choose(first);
  if (document.activeElement === state) focusName();
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
  write("find-state", `${found} (${width} × ${height} px)`);
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

/** The slider, an addition or a removal has changed the names. Removed faces have none, even if that may be undone. */
function relabel() {
  for (const face of faces) {
    const { entry } = face;
    face.known = entry && !isHidden(entry.token) && !isHidden(personKey(entry.name)) ? entry : null;
  }
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
  write("panel-place", faces.length > 1 ? `Face ${index + 1} of ${faces.length}` : "");
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
  keep(face.entry?.token);
  const before = face.known;
  await attempt(byId(chosen < 0 ? "find-alert" : "add-alert"), async () => {
    const wanted = { face_token: before?.token ?? face.face_token, face_name: name, face_set: faceSet(), check: "true" };
    const { face_token: token, similar } = await call("POST", "addface", wanted);
    notify(before?.name ? `Renamed ${before.name} to ${name}.` : `Added ${name} to the face set.`);
    facesChanged();
    face.entry = { token, name };
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
  write("similar-words", `${face.known.name} looks like ${other}: the same person?`);
  write("similar-yes", `Yes, rename to ${other}`);
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

function removeFace(face) {
  const { token, name } = face.known;
  // The button is about to be hidden.
  state.focus();
  const back = () => (faces.includes(face) ? goTo(faces.indexOf(face)) : byId("main").focus());
  remove([faceRemoval(token, name)], name ? `a picture of ${name}` : "a picture without a name", back);
}
