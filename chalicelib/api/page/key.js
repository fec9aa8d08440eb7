// Keeps the API key, for this tab only.

import { answered, byId, onClick } from "./dom.js";

const STORED = "face-search-api-key";
let asking = null;

export const apiKey = () => sessionStorage.getItem(STORED);

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
  byId("key-button").title = apiKey() ? "API key in use until this tab is closed" : "Enter an API key";
  byId("key-forget").hidden = apiKey() === null;
  byId("key-button").classList.toggle("in-use", apiKey() !== null);
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
