// Treats names as the service does.

const MOST_CHARACTERS = 255;
// The name of faces that were added without one. They have no person.
export const NO_NAME = "unknown";

/** Compose (some systems split é in two; the service uses NFC), trim, and cut to 255 whole characters. */
export function asName(text) {
  return [...text.normalize("NFC").trim()].slice(0, MOST_CHARACTERS).join("");
}

/** Return whether two names belong to one person. */
export const samePerson = (one, other) => asName(one).toLowerCase() === asName(other).toLowerCase();

/** Return the path of a person. Browsers drop `.` and `..` from addresses; white space before them keeps them. */
export const personPath = (name) => `people/${encodeURIComponent(/^\.\.?$/.test(name) ? ` ${name}` : name)}`;
