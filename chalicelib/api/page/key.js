// Keeps the API key or the bearer token, for this tab only.

import { byId } from "./dom.js";

const STORED = "face-search-api-key";
let asking = null;

export const apiKey = () => sessionStorage.getItem(STORED);

// A signed token has three parts between dots. An API key has no dot.
const isToken = (key) => /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/.test(key ?? "");

/** Return the headers that carry a key or a token. */
export function proof(key) {
  if (!key) return {};
  return isToken(key) ? { authorization: `Bearer ${key}` } : { "x-api-key": key };
}

/** Return whether a status asks for a key or a token. To a token, 403 means that it does not permit the request. */
export const asksForKey = (status, key) => status === 401 || (status === 403 && !isToken(key));

/** Ask for a key and resolve to whether the user gave one. Concurrent requests share one dialog. */
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
  // An open dialog stays open below this one's backdrop.
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
  byId("key-button").title = apiKey() ? "API key in use until this tab is closed" : "Enter an API key";
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
