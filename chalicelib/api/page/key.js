// The API key, kept for this tab only.

import { byId } from "./dom.js";

const STORED = "face-search-api-key";
let asking = null;

export const apiKey = () => sessionStorage.getItem(STORED);

/** Ask for a key; whether one was given. Requests that find out at the same time ask once. */
export function askForKey(refused) {
  asking ??= asked(refused).finally(() => (asking = null));
  return asking;
}

async function asked(refused) {
  const dialog = byId("key-dialog");
  const field = byId("key");
  byId("key-refused").hidden = !refused;
  field.value = "";
  dialog.returnValue = "";
  // A dialog that is open already would be below this one's backdrop all the same.
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  const given = field.value.trim();
  field.value = "";
  if (dialog.returnValue !== "use" || !given) return false;
  sessionStorage.setItem(STORED, given);
  showKey();
  return true;
}

export function showKey() {
  byId("key-button").title = apiKey() ? "An API key is in use, until this tab is closed" : "Enter an API key";
  byId("key-forget").hidden = apiKey() === null;
  byId("key-button").classList.toggle("in-use", apiKey() !== null);
}

export function startKey() {
  byId("key-button").addEventListener("click", () => askForKey(false));
  byId("key-forget").addEventListener("click", () => {
    sessionStorage.removeItem(STORED);
    showKey();
    byId("key-dialog").close();
  });
  showKey();
}
