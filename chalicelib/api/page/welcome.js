// Welcomes users to an empty face set.

import { ROOT } from "./api.js";
import { byId, onClick } from "./dom.js";
import { faceSet, facesIn } from "./face_sets.js";
import { sample } from "./sample.js";

/** `open` gets the sample picture. */
export function startWelcome(open) {
  onClick("find-sample", async () => open(await sample()));
  // The page may be below a stage's path, with or without a slash.
  document.querySelectorAll("[data-below]").forEach((link) => (link.href = ROOT + link.dataset.below));
  welcome();
}

/** Show the first steps if the face set is empty. */
export async function welcome() {
  byId("find-welcome").hidden = (await facesIn(faceSet())) !== 0;
}
