// Compare: shows whether two pictures show the same person.

import { call } from "./api.js";
import { byId, element, write } from "./dom.js";
import { info, thresholds } from "./model.js";
import { attempt, say } from "./notices.js";
import { prepared } from "./picture.js";
import { acceptPictures } from "./sources.js";
import { Stage } from "./stage.js";
import { looks, rate, Refusal, usual, verdict } from "./words.js";

const alert = byId("compare-alert");
const result = byId("compare-result");

let slots;
let work = new AbortController();

export function startCompare() {
  slots = ["first", "second"].map((name) => {
    const which = `the ${name} picture`;
    const zone = element("div.drop", { id: `${name}-drop` });
    const place = element("div.stage", { id: `${name}-stage` });
    const change = element("button", {}, "Change picture", element("span.unseen", {}, ` (${which})`));
    const root = element("div.slot", { role: "group", "aria-label": which }, zone, element("div.viewer", {}, place, change));
    byId("compare-pair").append(root);
    const slot = { name, root, change, file: null, faces: [], chosen: 0 };
    slot.stage = new Stage(place, (index) => attempt(alert, () => choose(slot, index)));
    const { choose: button } = acceptPictures(zone, (file) => open(slot, file), which);
    change.addEventListener("click", () => {
      clear(slot);
      button.focus();
    });
    return slot;
  });
}

function clear(slot) {
  work.abort();
  slot.stage.clear();
  slot.file = null;
  slot.faces = [];
  slot.root.classList.remove("with-picture");
  result.hidden = true;
  alert.hidden = true;
}

async function open(slot, file) {
  const focused = slot.root.contains(document.activeElement);
  clear(slot);
  slot.file = file;
  await attempt(alert, async () => {
    const picture = await prepared(file);
    // Another picture was opened here meanwhile.
    if (slot.file !== file) return;
    slot.root.classList.add("with-picture");
    // The button that had the focus is hidden now.
    if (focused) slot.change.focus();
    slot.stage.show(picture, file.name || "Your picture");
    slot.stage.busy("Looking for faces …");
    try {
      // The faces, largest first.
      const { faces } = await call("POST", "detect", { image_file: picture.blob });
      if (slot.file !== file) return;
      if (!faces.length) throw new Refusal("1007", { status: 422, detail: `no face in image_file${slots.indexOf(slot) + 1}` });
      slot.faces = faces;
      slot.stage.draw(faces, faces.map((face, index) => ({ more: `Face ${index + 1} of ${faces.length} in the ${slot.name} picture, ${looks(face.quality)}` })));
      await choose(slot, 0);
    } finally {
      if (slot.file === file) slot.stage.idle();
    }
  });
}

async function choose(slot, index) {
  slot.chosen = index;
  slot.stage.mark(index);
  if (slots.every(({ faces }) => faces.length)) await compare();
}

async function compare() {
  work.abort();
  work = new AbortController();
  const [one, other] = slots.map(({ faces, chosen }) => faces[chosen].face_token);
  say("Comparing");
  const reply = await call("POST", "compare", { face_token1: one, face_token2: other }, work.signal);
  const known = await thresholds(reply);
  const { model } = await info();
  show(reply.distance, known, reply.distance === 0 ? "" : (model.weaknesses[0] ?? ""));
}

function show(distance, known, weakness) {
  const { level, words } = verdict(distance, known, usual(known));
  byId("compare-verdict").className = `verdict large ${level}`;
  write("compare-verdict", distance ? `${words} the same person` : words);
  write("compare-rate", rate(distance, known));
  write("compare-weakness", weakness);
  write("compare-distance", `Distance ${distance.toFixed(3)}`);
  result.hidden = false;
  result.scrollIntoView({ block: "nearest" });
  say(`${byId("compare-verdict").textContent}. ${byId("compare-rate").textContent}`);
}
