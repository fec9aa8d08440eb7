// Shows notices and errors.

import { byId } from "./dom.js";
import { explained } from "./words.js";

let fading = 0;

/** Announce a text to screen readers and show it for 5 seconds. `say` only announces. */
export function notify(text) {
  say(text);
  const notice = byId("notice");
  notice.textContent = text;
  notice.classList.add("shown");
  clearTimeout(fading);
  fading = setTimeout(() => notice.classList.remove("shown"), 5000);
}

export function say(text) {
  byId("said").textContent = text;
}

/** Run `work`. If it fails, explain the error in `place`, an element with the role alert. */
export async function attempt(place, work) {
  place.hidden = true;
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") complain(place, explained(error));
    return undefined;
  }
}

export function complain(place, text) {
  place.textContent = text;
  place.hidden = false;
}
