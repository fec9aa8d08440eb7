// A small client of the face search service, for browsers and for Node.js 18 or newer.

const MAX_TRIES = 4;
const MAX_WAIT_SECONDS = 20;

/** A request failed. `code` is one of the service's codes, such as 1006, or else the HTTP status. */
export class FaceSearchError extends Error {
  constructor(code, detail) {
    super(`${code}: ${detail}`);
    this.code = code;
  }
}

/**
 * Send a request and return its reply. Fields are text, numbers or Blobs. If the service is busy, the request is
 * repeated: every request is safe to repeat.
 */
export async function call(service, method, path, fields = {}) {
  const url = new URL(service.url.replace(/\/$/, "") + path);
  const inQuery = method === "GET" || method === "DELETE";
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value == null) continue; // such as the cursor of a first page
    if (inQuery) url.searchParams.append(name, value);
    else form.append(name, value);
  }
  const headers = service.key ? { "x-api-key": service.key } : {};
  const milliseconds = (service.timeoutSeconds ?? 60) * 1000;
  for (let tried = 1; ; tried += 1) {
    let reply, text;
    try {
      const signal = AbortSignal.timeout(milliseconds);
      reply = await fetch(url, { method, headers, signal, body: inQuery ? undefined : form });
      text = await reply.text();
    } catch (error) {
      throw new FaceSearchError("no reply", error.cause?.message || error.message);
    }
    if ([429, 503].includes(reply.status) && tried < MAX_TRIES) {
      await pause(Number(reply.headers.get("Retry-After")) || 2 ** (tried - 1));
      continue;
    }
    const body = parsed(text);
    if (reply.ok) return body;
    throw new FaceSearchError(body.error_code ?? reply.status, body.detail ?? body.message ?? reply.statusText);
  }
}

function pause(seconds) {
  return new Promise((resolve) => setTimeout(resolve, Math.min(seconds, MAX_WAIT_SECONDS) * 1000));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // a proxy's error page
  }
}
