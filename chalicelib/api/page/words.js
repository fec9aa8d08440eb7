// Explains errors and distances in plain words.

/** A failed request. `code` is an API code, "network", "key", "busy" or "unreadable", or "picture" for a bad file. */
export class Refusal extends Error {
  constructor(code, { status = 0, detail = "" } = {}) {
    super(`${code} ${detail}`);
    this.code = code;
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

// The verdict on a distance, by the lowest false match rate that includes it.
const VERDICTS = [
  { fmr: 1e-4, level: "sure", words: "Very likely the same person" },
  { fmr: 1e-3, level: "likely", words: "Likely the same person" },
  { fmr: 1e-2, level: "possible", words: "Possibly the same person" },
];
const NO_VERDICT = { level: "unlikely", words: "Probably someone else" };

/** The API's reference distance, which each model's authors advise. Used alone if rates were not measured. */
export const REFERENCE = 0.65;

/** `thresholds`: the model's `{fmr, distance, worst}`, nearest first. `caution` is empty if none is needed. */
export function verdict(distance, thresholds) {
  const reached = thresholds.find((threshold) => distance <= threshold.distance);
  return { ...sureness(distance, thresholds, reached), caution: distance === 0 ? "" : caution(reached) };
}

// Warn if some group's rate exceeds this many times the nominal rate.
const FAR_OFF = 10;

/** Return a warning if strangers in some group are this close far more often. */
function caution(reached) {
  if (!reached?.worst || reached.worst <= FAR_OFF * reached.fmr) return "";
  return `In some groups of people, ${oneIn(reached.worst)} strangers are this close.`;
}

function sureness(distance, thresholds, reached) {
  if (distance === 0) return { level: "sure", words: "The same picture" };
  if (!thresholds.length) {
    return distance <= REFERENCE
      ? { level: "likely", words: "Close enough, say the model's authors" }
      : { level: "unlikely", words: "Too far apart, say the model's authors" };
  }
  return VERDICTS.find(({ fmr }) => reached && reached.fmr <= fmr * 1.001) ?? NO_VERDICT;
}

export function oneIn(fmr) {
  return `1 in ${Math.round(1 / fmr).toLocaleString("en")}`;
}

/** Explain how many strangers match within a distance, in a face set of `faces` faces. */
export function meaning(distance, thresholds, faces) {
  if (!thresholds.length) return "Error rates were not measured for this model. A smaller distance is a surer match.";
  const reached = thresholds.find((threshold) => distance <= threshold.distance + 1e-9);
  if (!reached) return `More than ${oneIn(thresholds.at(-1).fmr)} strangers are this close. Treat these matches as hints only.`;
  const exact = Math.abs(distance - reached.distance) < 0.002;
  const share = `${exact ? "About" : "Fewer than"} ${oneIn(reached.fmr)} strangers are this close`;
  const expected = Math.round(faces * reached.fmr);
  const count = expected ? `: ${exact ? "about" : "up to"} ${expected.toLocaleString("en")} in this face set` : "";
  return `${share}${count}. ${caution(reached)}`.trim();
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
