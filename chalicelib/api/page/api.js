// Sends requests to the service that served this page.

import { apiKey, askForKey, asksForKey, proof } from "./key.js";
import { uploaded } from "./upload.js";
import { Refusal } from "./words.js";

// The page is at the service's root or at `upload`. Behind API Gateway the root is a stage, with or without a slash.
export const ROOT = location.pathname.replace(/\/upload\/?$/, "").replace(/\/*$/, "/");
const TRIES = 4;
const LONGEST_WAIT_SECONDS = 20;

/**
 * Send a request and return its reply. Throws `Refusal`. If the service is busy or cannot reach its storage, the request
 * is repeated after the time in `Retry-After`. Undefined fields are not sent. Blobs are sent as files. Fields
 * with a list are sent as JSON.
 */
export async function call(method, path, fields = {}, signal = undefined) {
  const response = await answered(method, path, fields, signal);
  const reply = await response.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  if (response.ok && reply) return reply;
  if (reply?.error_code) throw new Refusal(reply.error_code, { status: response.status, detail: reply.detail });
  // Replies of API Gateway itself.
  if (response.status === 413) throw new Refusal("1004", { status: 413 });
  if (response.status === 429) throw new Refusal("busy");
  throw new Refusal("unreadable", { status: response.status });
}

/** Repeat a request that changes as much as its time allows until all is changed. `progress` gets the removed faces. */
export async function finished(method, path, fields = {}, progress = () => {}) {
  for (let changed = 0; ; ) {
    const reply = await call(method, path, fields);
    progress((changed += reply.removed ?? 0));
    if (reply.done !== false) return;
  }
}

/** Send a request that goes on when the page is closed. */
export function sendOnLeaving(method, path, fields) {
  sent(method, path, fields, undefined, apiKey(), true).catch(() => {});
}

/** Return whether the service and its storage answer. */
export function reachable() {
  return sent("GET", "face_sets", {}, undefined, apiKey()).then(({ ok }) => ok, () => false);
}

/** Return a URL for a reply's picture: an absolute address unchanged, a relative one fetched below the service's root. */
export async function pictureUrl(address, signal = undefined) {
  if (/^https?:/.test(address)) return address;
  const response = await answered("GET", address.replace(/^\//, ""), {}, signal);
  if (!response.ok) throw new Refusal("unreadable", { status: response.status });
  return URL.createObjectURL(await response.blob());
}

async function answered(method, path, fields, signal) {
  for (let tried = 1; ; ) {
    const key = apiKey();
    const response = await sent(method, path, fields, signal, key);
    if (asksForKey(response.status, key)) {
      // Another request may have asked for the key meanwhile.
      if (apiKey() === key && !(await askForKey(key !== null))) throw new Refusal("key");
    } else if ([429, 503, 504].includes(response.status) && tried < TRIES) {
      await pause(Number(response.headers.get("Retry-After")) || 2 ** (tried - 1), signal);
      tried += 1;
    } else {
      return response;
    }
  }
}

async function sent(method, path, fields, signal, key, keepalive = false) {
  const url = new URL(ROOT + path, location.origin);
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  let body;
  if (method === "GET" || method === "DELETE") {
    given.forEach(([name, value]) => url.searchParams.set(name, value));
  } else if (given.some(([, value]) => Array.isArray(value))) {
    body = new Blob([JSON.stringify(Object.fromEntries(given))], { type: "application/json" });
  } else {
    body = new FormData();
    given.forEach(([name, value]) => body.append(name, value));
  }
  try {
    const send = given.some(([, value]) => value instanceof Blob) ? uploaded : fetch;
    return await send(url, { method, body, signal, keepalive, headers: proof(key), cache: "no-store" });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Refusal("network");
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const waiting = setTimeout(resolve, Math.min(seconds, LONGEST_WAIT_SECONDS) * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(waiting);
      reject(signal.reason);
    });
  });
}
