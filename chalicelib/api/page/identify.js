// Asks the service who the faces of a picture are.

import { call } from "./api.js";
import { faceSet } from "./face_sets.js";
import { LIMIT } from "./matches.js";
import { thresholds } from "./model.js";
import { NO_NAME, samePerson } from "./names.js";
import { reach } from "./scale.js";

/**
 * Return the faces of a picture, from left to right, and the model's `thresholds`. Each face has `matches`, the people
 * that it may show up to the slider's maximum, and `known`, the `{token, name}` of its own entry in the face set or null.
 */
export async function identified(picture, signal) {
  const wanted = { image_file: picture.blob, threshold: reach(await thresholds()), limit: LIMIT, face_set: faceSet() };
  const reply = await call("POST", "identify", wanted, signal);
  const faces = reply.faces.map((face) => ({ ...face, ...sorted(face.matches) }));
  // The order of reading and of the keyboard.
  faces.sort((a, b) => a.top_left[0] - b.top_left[0]);
  return { faces, known: await thresholds(reply) };
}

/** Search again for a face, because the face set has changed. Returns its new `matches`, `known` and `truncated`. */
export async function searchedAgain(face, known, signal) {
  const wanted = { face_token: face.face_token, threshold: reach(known), limit: LIMIT, group: "name", face_set: faceSet() };
  const reply = await call("GET", "search", wanted, signal);
  return { ...sorted(reply.cmp_result), truncated: reply.truncated };
}

function sorted(found) {
  // Only the same picture has this distance: the face was added before.
  const own = found.find(({ distance }) => distance === 0);
  const named = found.filter((match) => match !== own && !samePerson(match.face_name, NO_NAME));
  return { matches: named, known: own ? { token: own.face_token, name: samePerson(own.face_name, NO_NAME) ? "" : own.face_name } : null };
}
