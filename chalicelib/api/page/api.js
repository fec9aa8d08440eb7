// Sends requests to the service that served this page.

import { apiKey, askForKey, asksForKey, proof } from "./key.js";
import { Refusal } from "./words.js";

// The page is at the service's root or at `upload`. Behind API Gateway the root is a stage, with or without a slash.
const ROOT = location.pathname.replace(/\/upload\/?$/, "").replace(/\/*$/, "/");
const TRIES = 4;
const LONGEST_WAIT_SECONDS = 20;

/**
 * Send a request and return its reply. Throws `Refusal`. If the service is busy or cannot reach its storage, the request
 * is repeated after the time in `Retry-After`. Undefined fields are not sent. Blobs are sent as files.
 */
export async function call(method, path, fields = {}, signal = undefined) {
  const response = await answered(method, path, fields, signal);
  const reply = await response.json().catch(() => ({}));
  if (response.ok) return reply;
  if (reply.error_code) throw new Refusal(reply.error_code, { status: response.status, detail: reply.detail });
  // Replies of API Gateway itself.
  if (response.status === 413) throw new Refusal("1004", { status: 413 });
  if (response.status === 429) throw new Refusal("busy");
  throw new Refusal("unreadable", { status: response.status });
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

async function sent(method, path, fields, signal, key) {
  const url = new URL(ROOT + path, location.origin);
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  let body;
  if (method === "GET" || method === "DELETE") {
    given.forEach(([name, value]) => url.searchParams.set(name, value));
  } else {
    body = new FormData();
    given.forEach(([name, value]) => body.append(name, value));
  }
  try {
    return await fetch(url, { method, body, signal, headers: proof(key), cache: "no-store" });
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
