// What the page says while one works with it.

import { byId } from "./dom.js";
import { explained } from "./words.js";

let fading = 0;

/** Tell screen readers, and show for some seconds; `say` alone does only the first. */
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

/** Run what may fail; what went wrong is told in `place`, an element with the role alert, in plain words. */
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
