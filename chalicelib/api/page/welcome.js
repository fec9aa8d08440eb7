// Welcomes users to an empty face set.

import { ROOT } from "./api.js";
import { byId } from "./dom.js";
import { faceSet, facesIn } from "./face_sets.js";
import { sample } from "./sample.js";

/** `open` gets the sample picture. */
export function startWelcome(open) {
  byId("find-sample").addEventListener("click", async () => open(await sample()));
  // The page may be below a stage's path, with or without a slash.
  document.querySelectorAll("[data-below]").forEach((link) => (link.href = ROOT + link.dataset.below));
  welcome();
}

/** Show the first steps if the face set is empty. */
export async function welcome() {
  byId("find-welcome").hidden = (await facesIn(faceSet())) !== 0;
}
