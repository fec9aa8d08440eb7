// Find: finds the faces of a picture, identifies them and adds them to the face set.

import { call } from "./api.js";
import { byId, element, plural } from "./dom.js";
import { faceSet, facesChanged, whenFaceSetChanges } from "./face_sets.js";
import { Matches } from "./matches.js";
import { asName } from "./names.js";
import { attempt, notify, say } from "./notices.js";
import { cutOut, prepared } from "./picture.js";
import { acceptDrops, acceptPictures } from "./sources.js";
import { Stage } from "./stage.js";
import { turned, verdict } from "./words.js";

let stage;
let matches;
let work = new AbortController();
let faces = [];
let chosen = -1;

export function startFind() {
  stage = new Stage(byId("find-stage"), (index) => {
    choose(index);
    // On a phone the panel is below the picture.
    byId("panel-face").scrollIntoView({ block: "nearest" });
  });
  matches = new Matches(byId("find-matches"));
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
  byId("add-form").addEventListener("submit", add);
  byId("add-undo").addEventListener("click", undo);
  whenFaceSetChanges(() => chosen >= 0 && choose(chosen));
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
}

async function open(file) {
  close();
  const signal = begin();
  await attempt(byId("find-alert"), async () => {
    byId("find").classList.add("with-picture");
    byId("find-state").textContent = "Opening the picture …";
    byId("find-note").textContent = "";
    const picture = await prepared(file, signal);
    stage.show(picture, "Your picture");
    stage.busy("Looking for faces …");
    say("Looking for faces");
    byId("find-note").textContent = picture.note;
    const reply = await call("POST", "detect", { image_file: picture.blob }, signal);
    faces = inOrder(reply.faces);
    stage.idle();
    stage.draw(faces);
    showFaces(picture);
  });
  // The user chose a face or another picture meanwhile.
  if (signal.aborted) return;
  stage.idle();
  // The file was not a picture, so there is nothing to show.
  if (!stage.picture) byId("find").classList.remove("with-picture");
  else if (!byId("find-alert").hidden) byId("find-state").textContent = "";
}

/** Sort faces from left to right, in reading and keyboard order. */
function inOrder(found) {
  return found.sort((a, b) => a.top_left[0] - b.top_left[0]);
}

function showFaces({ width, height }) {
  const found = faces.length ? `${plural(faces.length, "face")} found` : "No face found";
  byId("find-state").textContent = `${found} in ${width} × ${height} px`;
  say(byId("find-state").textContent);
  byId("panel-hint").textContent = faces.length
    ? "Choose a face in the picture to identify it or give it a name."
    : "A face must be at least 30 pixels in size and roughly face the camera. Try a larger or sharper picture.";
  showPanel();
  if (faces.length === 1) choose(0);
}

function showPanel() {
  byId("panel-face").hidden = true;
  byId("panel-empty").hidden = false;
  chosen = -1;
}

async function choose(index) {
  const signal = begin();
  chosen = index;
  const face = faces[index];
  stage.mark(index);
  byId("panel-empty").hidden = true;
  byId("panel-face").hidden = false;
  byId("panel-title").textContent = faces.length > 1 ? `Face ${index + 1} of ${faces.length}` : "The face";
  byId("panel-steps").hidden = faces.length < 2;
  byId("panel-crop").replaceChildren(cutOut(stage.picture.bitmap, face));
  showQuality(face.quality);
  showAdded();
  byId("add-alert").hidden = true;
  byId("add-name").value = face.name ?? "";
  const best = await matches.search(face.face_token, signal);
  if (signal.aborted || !best) return;
  const { level } = verdict(best.distance, matches.thresholds);
  if (!face.name && ["sure", "likely"].includes(level)) stage.label(index, best.face_name);
  byId("add-names").replaceChildren(element("option", { value: best.face_name }));
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

async function add(event) {
  event.preventDefault();
  const face = faces[chosen];
  const index = chosen;
  const name = asName(byId("add-name").value);
  const button = byId("add-button");
  button.disabled = true;
  await attempt(byId("add-alert"), async () => {
    const set = face.set ?? faceSet();
    await call("POST", "addface", { face_token: face.face_token, face_name: name, face_set: set });
    notify(face.name ? `Renamed ${face.name} to ${name}.` : `Added ${name} to the face set.`);
    Object.assign(face, { name, set });
    facesChanged();
    stage.label(index, name);
    if (chosen === index) showAdded();
  });
  button.disabled = false;
}

async function undo() {
  const face = faces[chosen];
  const index = chosen;
  await attempt(byId("add-alert"), async () => {
    await call("POST", "removeface", { face_token: face.face_token });
    notify(`Removed ${face.name} from the face set.`);
    facesChanged();
    stage.label(index, "");
    // The removed face's token is invalid now. Detecting the same picture again gives a new token.
    const reply = await call("POST", "detect", { image_file: stage.picture.blob });
    faces[index] = inOrder(reply.faces)[index];
    if (chosen === index) showAdded();
  });
}

function showAdded() {
  const { name, set } = faces[chosen];
  byId("add-button").textContent = name ? "Rename" : "Add to face set";
  byId("add-undo").hidden = !name;
  byId("add-done").textContent = name ? `In ${set === faceSet() ? "the face set" : `face set ${set}`} as ${name}` : "";
}
