// Shows notices and errors.

import { byId, element, write } from "./dom.js";
import { whenBack } from "./recovery.js";
import { explained } from "./words.js";

const NOTICE_MILLISECONDS = 5000;

let fading = 0;
// The text beside the notice's button, while it has one.
let offered = "";

/** Announce a text to screen readers and show it for 5 seconds. `say` only announces. */
export function notify(text) {
  show(`${text} ${offered}`.trim(), text);
  fading = setTimeout(() => (offered ? (byId("notice-text").textContent = offered) : withdraw()), NOTICE_MILLISECONDS);
}

/** Show a notice with a button until `withdraw`. Other notices do not hide the button. */
export function offer(text, action, onclick) {
  offered = text;
  const button = byId("notice-action");
  button.textContent = action;
  button.ariaLabel = `${action}: ${text}`;
  button.hidden = false;
  button.onclick = onclick;
  show(text, text);
}

export function withdraw() {
  clearTimeout(fading);
  offered = "";
  if (byId("notice").contains(document.activeElement)) byId("main").focus({ preventScroll: true });
  byId("notice-action").hidden = true;
  byId("notice").classList.remove("shown");
}

function show(text, said) {
  clearTimeout(fading);
  say(said);
  write("notice-text", text);
  byId("notice").classList.add("shown");
}

export function say(text) {
  write("said", text);
}

/** Keep notices in the topmost dialog: everything outside it is hidden from screen readers and clicks. */
export function startNotices() {
  const raise = () => {
    const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
    if (byId("notice").parentElement === (dialog ?? document.body)) return;
    (dialog ?? document.body)[dialog ? "prepend" : "append"](byId("said"), byId("notice"));
  };
  new MutationObserver(raise).observe(document.body, { subtree: true, attributeFilter: ["open"] });
}

/**
 * Run `work`. If it fails, explain the error in `place`, an element with the role alert. After a failure that may pass
 * it offers to run `again`. Work that only `reads` also runs again by itself when the service is back.
 */
export async function attempt(place, work, { again = () => attempt(place, work), reads = false } = {}) {
  place.hidden = true;
  try {
    return await work();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    complain(place, explained(error), error.passes ? again : null);
    const [words] = place.children;
    // Without a key the service does not answer, however long the page waits.
    if (error.passes && error.code !== "key") {
      whenBack(() => {
        if (!words.checkVisibility()) return;
        if (reads) again();
        else words.textContent = "The service is back.";
      });
    }
    return undefined;
  }
}

/** Show an error, with a button that runs `again`, if given. */
export function complain(place, text, again = null) {
  const onclick = () => {
    // The button goes, and the focus must not go with it.
    const title = place.closest("section, dialog").querySelector(":is(h1, h2):not([hidden] *)");
    title.tabIndex = -1;
    title.focus({ preventScroll: true });
    again();
  };
  place.replaceChildren(element("span.grow", {}, text), element("button", { hidden: !again, onclick }, "Retry"));
  place.hidden = false;
}
