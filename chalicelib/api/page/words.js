// Explains errors and distances in plain words.

import { number } from "./dom.js";

// Failures of the service or the connection. The same request may succeed later.
const PASSING = ["network", "busy", "unreadable", "key", "1003", "1005"];

/** A failed request. `code` is an API code, "network", "key", "busy" or "unreadable", or "picture" for a bad file. */
export class Refusal extends Error {
  constructor(code, { status = 0, detail = "" } = {}) {
    super(`${code} ${detail}`);
    this.code = code;
    this.passes = PASSING.includes(code);
    this.status = status;
    this.detail = detail;
  }
}

const WORDS = {
  network: () => "The service cannot be reached. Check your connection, then try again.",
  key: () => "This service needs an API key. Enter one with the key button at the top.",
  unreadable: () => "The service sent an unexpected reply. Try again in a moment.",
  busy: () => "The service is busy. Wait a moment, then try again.",
  1001: (error) => `The service did not accept the request: ${error.detail}.`,
  1002: (error) => `Something is missing: ${error.detail}.`,
  1003: ({ status }) =>
    status === 503
      ? "The service cannot reach its storage. Try again in a few minutes."
      : "Something went wrong in the service. Try again. If it happens again, contact the operator.",
  1004: ({ status, detail }) =>
    ({
      413: "This picture has too many bytes for the service. Use a smaller one.",
      415: "The service does not accept this type of file. Use a JPEG or PNG.",
    })[status] ?? `This picture cannot be used: ${detail}.`,
  1005: () => "The upload was interrupted. Try again.",
  1006: () => "This face no longer exists. Faces that are not added expire after a while. Open the picture again.",
  1007: ({ detail }) =>
    detail.startsWith("no face")
      ? `No face was found in ${place(detail)}. A face must be at least 30 pixels in size and roughly face the camera.`
      : `${detail[0].toUpperCase()}${detail.slice(1)}.`,
  picture: ({ detail }) => detail,
};

/** Translate the form field that the service names. */
function place(detail) {
  if (detail.endsWith("image_file1")) return "the first picture";
  return detail.endsWith("image_file2") ? "the second picture" : "this picture";
}

export function explained(error) {
  if (!(error instanceof Refusal)) {
    // A bug in this page: log it for its developers.
    console.error(error);
    return "Something went wrong on this page. Reload it, then try again.";
  }
  return (WORDS[error.code] ?? WORDS.unreadable)(error);
}

/** The API's reference distance, which each model's authors advise. Used alone if rates were not measured. */
export const REFERENCE = 0.65;

// Pairs of strangers this close are so rare that a match is very likely.
const SURE_RATE = 1e-4;
// The false match rate of the threshold that applies until the user chooses another.
const USUAL_RATE = 1e-3;

/** Return the distance at which a match is plausible. `thresholds`: the model's `{fmr, distance, worst}`, nearest first. */
export function usual(thresholds) {
  return thresholds.find(({ fmr }) => fmr >= USUAL_RATE * 0.999)?.distance ?? REFERENCE;
}

/** Judge a distance in a few words. `threshold` is the largest distance of a plausible match. */
export function verdict(distance, thresholds, threshold) {
  if (distance === 0) return { level: "sure", words: "The same picture" };
  const sure = thresholds.findLast(({ fmr }) => fmr <= SURE_RATE * 1.001);
  if (sure && distance <= sure.distance) return { level: "sure", words: "Very likely" };
  return distance <= threshold ? { level: "possible", words: "Perhaps" } : { level: "unlikely", words: "Probably not" };
}

export function oneIn(fmr) {
  return `1 in ${number(Math.round(1 / fmr))}`;
}

/** Say in one sentence how many strangers are as alike as this distance, in the worst measured group too. */
export function rate(distance, thresholds) {
  if (distance === 0) return "";
  if (!thresholds.length) return "How often strangers are this alike was not measured for this model.";
  const reached = thresholds.find((threshold) => distance <= threshold.distance + 1e-9);
  const { fmr, worst = 0 } = reached ?? thresholds.at(-1);
  const pairs = Math.round(1 / fmr);
  const inWorst = number(Math.round(worst * pairs));
  const groups = worst * pairs >= 1.5 ? `; in some groups of people ${reached ? "up to" : "more than"} ${inWorst}` : "";
  return `Of ${number(pairs)} pairs of strangers, ${reached ? "at most 1 is" : "more than 1 are"} this alike${groups}.`;
}

/** Say how many strangers match within a distance, in a face set of `faces` faces. */
export function meaning(distance, thresholds, faces) {
  const reached = thresholds.find((threshold) => distance <= threshold.distance + 1e-9);
  const expected = Math.round(faces * (reached?.fmr ?? 0));
  const count = expected ? ` Of this face set's faces, up to ${number(expected)} may match a stranger by chance.` : "";
  return rate(distance, thresholds) + count;
}

/** Describe a face's quality in a few words. */
export function looks(quality) {
  return quality.reasons.length ? quality.reasons.join(", ") : "looks good";
}

export function turned({ yaw, pitch }) {
  const parts = [];
  if (Math.abs(yaw) >= 10) parts.push(`${Math.round(Math.abs(yaw))}° ${yaw > 0 ? "right" : "left"}`);
  if (Math.abs(pitch) >= 10) parts.push(`${Math.round(Math.abs(pitch))}° ${pitch > 0 ? "up" : "down"}`);
  return parts.join(", ") || "At the camera";
}
