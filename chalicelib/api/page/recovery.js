// Notices when the service is back.

import { reachable } from "./api.js";

const PAUSE_MILLISECONDS = 5000;

let waiting = [];
let timer = 0;

/** Call `listener` once the service answers again. */
export function whenBack(listener) {
  waiting.push(listener);
  watch();
}

export function startRecovery() {
  addEventListener("online", check);
}

function watch() {
  clearTimeout(timer);
  if (waiting.length) timer = setTimeout(check, PAUSE_MILLISECONDS);
}

async function check() {
  if (waiting.length && !document.hidden && (await reachable())) {
    const back = waiting;
    waiting = [];
    back.forEach((listener) => listener());
  }
  watch();
}
