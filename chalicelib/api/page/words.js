// Errors and distances in plain words.

/** A request that failed: a code of the API, or one of "network", "key", "unreadable"; `picture` of a file. */
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
  unreadable: () => "The service answered with something this page does not understand. Try again in a moment.",
  busy: () => "The service has too much to do at the moment. Wait a little, then try again.",
  1001: (error) => `The service did not accept this: ${error.detail}.`,
  1002: (error) => `Something is missing: ${error.detail}.`,
  1003: ({ status }) =>
    status === 503
      ? "The service cannot reach its storage at the moment. Try again in a little while."
      : "Something went wrong in the service. It is not your fault; try again, and tell its operator if it happens again.",
  1004: ({ status, detail }) =>
    ({
      413: "This picture is too large: at most 2 MB are accepted.",
      415: "This file is not a picture that the service accepts. Use a JPEG or PNG.",
    })[status] ?? `This picture cannot be used: ${detail}.`,
  1005: () => "The upload was cut off on its way. Try again.",
  1006: () => "This face is no longer known. Faces that were not added are forgotten after a while: open the picture again.",
  1007: ({ detail }) =>
    detail.startsWith("no face")
      ? `No face was found in ${place(detail)}. Faces need at least 30 pixels, and to look more or less at the camera.`
      : `${detail[0].toUpperCase()}${detail.slice(1)}.`,
  picture: ({ detail }) => detail,
};

/** The service names fields of its forms. */
function place(detail) {
  if (detail.endsWith("image_file1")) return "the first picture";
  return detail.endsWith("image_file2") ? "the second picture" : "this picture";
}

export function explained(error) {
  if (!(error instanceof Refusal)) {
    // A fault of this page: it is for whoever mends it.
    console.error(error);
    return "This page made a mistake. Reload it, then try again.";
  }
  return (WORDS[error.code] ?? WORDS.unreadable)(error);
}

// How sure a distance makes it that two faces are one person's, by the false match rate up to which it lies.
const VERDICTS = [
  { fmr: 1e-4, level: "sure", words: "Very likely the same person" },
  { fmr: 1e-3, level: "likely", words: "Likely the same person" },
  { fmr: 1e-2, level: "possible", words: "Possibly the same person" },
];
const NO_VERDICT = { level: "unlikely", words: "Probably someone else" };

/** The API's reference: for every model what its authors advise. All there is where rates were not measured. */
export const REFERENCE = 0.65;

/** `thresholds`: `{fmr, distance, worst}` of the model, nearest first. `caution` is empty where none is needed. */
export function verdict(distance, thresholds) {
  const reached = thresholds.find((threshold) => distance <= threshold.distance);
  return { ...sureness(distance, thresholds, reached), caution: distance === 0 ? "" : caution(reached) };
}

// From how many times its nominal rate on a rate is said to be wrong for some people.
const FAR_OFF = 10;

/** A warning where strangers of some group are far more often as near as this. */
function caution(reached) {
  if (!reached?.worst || reached.worst <= FAR_OFF * reached.fmr) return "";
  return `Among some groups of people ${oneIn(reached.worst)} strangers are this near.`;
}

function sureness(distance, thresholds, reached) {
  if (distance === 0) return { level: "sure", words: "The same picture" };
  if (!thresholds.length) {
    return distance <= REFERENCE
      ? { level: "likely", words: "Near enough, say the model's authors" }
      : { level: "unlikely", words: "Too far apart, say the model's authors" };
  }
  return VERDICTS.find(({ fmr }) => reached && reached.fmr <= fmr * 1.001) ?? NO_VERDICT;
}

export function oneIn(fmr) {
  return `1 in ${Math.round(1 / fmr).toLocaleString("en")}`;
}

/** What it means to take every face within a distance for the same person's, in a face set of so many faces. */
export function meaning(distance, thresholds, faces) {
  if (!thresholds.length) return "How often strangers are this near was not measured for this model. A smaller distance is a surer match.";
  const reached = thresholds.find((threshold) => distance <= threshold.distance + 1e-9);
  if (!reached) return `More than ${oneIn(thresholds.at(-1).fmr)} strangers are this near. Take these as hints only.`;
  const exact = Math.abs(distance - reached.distance) < 0.002;
  const share = `${exact ? "About" : "Fewer than"} ${oneIn(reached.fmr)} strangers are this near`;
  const expected = Math.round(faces * reached.fmr);
  const count = expected ? `: ${exact ? "about" : "up to"} ${expected.toLocaleString("en")} in this face set` : "";
  return `${share}${count}. ${caution(reached)}`.trim();
}

/** A face's quality in a few words. */
export function looks(quality) {
  return quality.reasons.length ? quality.reasons.join(", ") : "looks good";
}

export function turned({ yaw, pitch }) {
  const parts = [];
  if (Math.abs(yaw) >= 10) parts.push(`${Math.round(Math.abs(yaw))}° ${yaw > 0 ? "right" : "left"}`);
  if (Math.abs(pitch) >= 10) parts.push(`${Math.round(Math.abs(pitch))}° ${pitch > 0 ? "up" : "down"}`);
  return parts.join(", ") || "At the camera";
}
