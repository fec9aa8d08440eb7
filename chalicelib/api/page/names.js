// Names as the service keeps them.

const MOST_CHARACTERS = 255;

/** Composed (NFC), as some systems split é in two; without white space around; at most 255 characters, none cut in half. */
export function asName(text) {
  return [...text.normalize("NFC").trim()].slice(0, MOST_CHARACTERS).join("");
}
