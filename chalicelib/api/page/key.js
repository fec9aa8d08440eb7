// Keeps the API key or the bearer token, for this tab only.

import { answered, byId, onClick } from "./dom.js";

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
  const field = byId("key");
  byId("key-refused").hidden = !refused;
  field.value = "";
  // An open dialog stays open below this one's backdrop.
  const answer = await answered(byId("key-dialog"));
  const given = field.value.trim();
  field.value = "";
  if (answer !== "use" || !given) return false;
  sessionStorage.setItem(STORED, given);
  showKey();
  return true;
}

function showKey() {
  const button = byId("key-button");
  const used = apiKey() !== null;
  button.title = used ? "API key in use" : "Enter an API key";
  button.classList.toggle("in-use", used);
  byId("key-forget").hidden = !used;
}

export function startKey() {
  onClick("key-button", () => askForKey(false));
  onClick("key-forget", () => {
    sessionStorage.removeItem(STORED);
    showKey();
    byId("key-dialog").close();
  });
  showKey();
}
