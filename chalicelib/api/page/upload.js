// Sends forms and shows how much is sent, which `fetch` cannot say.

import { byId } from "./dom.js";

const uploads = new Map();

/** Send a form as `fetch` does. */
export function uploaded(url, { method, body, headers, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.responseType = "arraybuffer";
    Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
    request.upload.onprogress = ({ loaded, total }) => show(request, { loaded, total });
    request.upload.onloadend = () => show(request);
    request.onload = () => {
      const retry = request.getResponseHeader("Retry-After");
      resolve(new Response(request.response, { status: request.status, headers: retry ? { "Retry-After": retry } : {} }));
    };
    request.onerror = () => reject(new TypeError("The request failed."));
    request.onabort = () => reject(signal.reason);
    signal?.addEventListener("abort", () => request.abort());
    if (signal?.aborted) reject(signal.reason);
    else request.send(body);
  });
}

function show(request, progress = undefined) {
  if (progress) uploads.set(request, progress);
  else uploads.delete(request);
  const sum = (part) => [...uploads.values()].reduce((total, upload) => total + upload[part], 0);
  const bar = byId("upload");
  bar.hidden = !uploads.size;
  bar.max = sum("total") || 1;
  bar.value = sum("loaded");
}
