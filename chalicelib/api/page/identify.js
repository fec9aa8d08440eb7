// Asks the service who the faces of a picture are.

import { call } from "./api.js";
import { faceSet } from "./face_sets.js";
import { thresholds } from "./model.js";
import { NO_NAME, samePerson } from "./names.js";
import { reach } from "./scale.js";

// More than anyone looks through. The reply says if there are more.
export const LIMIT = 100;

/**
 * Return the faces of a picture, from left to right, and the model's `thresholds`. Each face has `matches`, the people
 * that it may show up to the slider's maximum, and `entry`, the `{token, name}` of its own in the face set or null.
 */
export async function identified(picture, signal) {
  const wanted = { image_file: picture.blob, threshold: reach(await thresholds()), limit: LIMIT, face_set: faceSet() };
  const reply = await call("POST", "identify", wanted, signal);
  const faces = reply.faces.map((face) => ({ ...face, ...sorted(face.matches) }));
  // The order of reading and of the keyboard.
  faces.sort((a, b) => a.top_left[0] - b.top_left[0]);
  return { faces, known: await thresholds(reply) };
}

/** Search again for a face, because the face set has changed. Returns its new `matches`, `entry` and `truncated`. */
export async function searchedAgain(face, known, signal) {
  const reply = await searched(face.face_token, known, signal);
  return { ...sorted(reply.cmp_result), truncated: reply.truncated };
}

/** Search for the people who are like a face, up to the slider's maximum. */
export function searched(token, known, signal) {
  const wanted = { face_token: token, threshold: reach(known), limit: LIMIT, group: "name", face_set: faceSet() };
  return call("GET", "search", wanted, signal);
}

function sorted(found) {
  // Only the same picture has this distance: the face was added before.
  const own = found.find(({ distance }) => distance === 0);
  const named = found.filter((match) => match !== own && !samePerson(match.face_name, NO_NAME));
  return { matches: named, entry: own ? { token: own.face_token, name: samePerson(own.face_name, NO_NAME) ? "" : own.face_name } : null };
}
