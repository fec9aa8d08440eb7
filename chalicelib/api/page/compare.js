// Compare: shows whether two pictures show the same person.

import { call } from "./api.js";
import { byId } from "./dom.js";
import { thresholds } from "./model.js";
import { attempt, say } from "./notices.js";
import { prepared } from "./picture.js";
import { acceptPictures } from "./sources.js";
import { Stage } from "./stage.js";
import { oneIn, verdict } from "./words.js";

let slots;
let work = new AbortController();

export function startCompare() {
  slots = ["first", "second"].map((name) => {
    const zone = byId(`${name}-drop`);
    const slot = { zone, stage: new Stage(byId(`${name}-stage`)), picture: null, file: null };
    const { choose } = acceptPictures(zone, (file) => open(slot, file), `the ${name} picture`);
    byId(`${name}-clear`).addEventListener("click", () => {
      clear(slot);
      choose.focus();
    });
    return slot;
  });
}

function clear(slot) {
  work.abort();
  slot.stage.clear();
  slot.picture = slot.file = null;
  slot.zone.parentElement.classList.remove("with-picture");
  byId("compare-result").hidden = true;
  byId("compare-alert").hidden = true;
}

async function open(slot, file) {
  clear(slot);
  slot.file = file;
  await attempt(byId("compare-alert"), async () => {
    const picture = await prepared(file, undefined, true);
    // Another picture was opened here meanwhile.
    if (slot.file !== file) return;
    slot.picture = picture;
    slot.zone.parentElement.classList.add("with-picture");
    slot.stage.show(slot.picture, file.name || "Your picture");
    if (slots.every((other) => other.picture)) await compare();
  });
}

async function compare() {
  work.abort();
  work = new AbortController();
  const { signal } = work;
  const [first, second] = slots;
  slots.forEach(({ stage }) => stage.busy("Comparing …"));
  say("Comparing");
  try {
    const reply = await call("POST", "compare", { image_file1: first.picture.blob, image_file2: second.picture.blob }, signal);
    first.stage.draw([reply.face1]);
    second.stage.draw([reply.face2]);
    show(reply, await thresholds(reply));
  } finally {
    slots.forEach(({ stage }) => stage.idle());
  }
}

function show({ distance }, known) {
  const { level, words, caution } = verdict(distance, known);
  const reached = known.find((threshold) => distance <= threshold.distance);
  byId("compare-verdict").className = `verdict large ${level}`;
  byId("compare-verdict").textContent = words;
  byId("compare-distance").textContent = `Distance ${distance.toFixed(3)}`;
  byId("compare-words").textContent = reached
    ? `Fewer than ${oneIn(reached.fmr)} pairs of different people are this close. ${caution}`.trim()
    : known.length
      ? `More than ${oneIn(known.at(-1).fmr)} pairs of different people are this close.`
      : "Error rates were not measured for this model.";
  byId("compare-result").hidden = false;
  say(`${words}. ${byId("compare-distance").textContent}. ${caution}`);
}
