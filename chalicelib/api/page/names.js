// Normalises names as the service does.

const MOST_CHARACTERS = 255;

/** Compose (some systems split é in two; the service uses NFC), trim, and cut to 255 whole characters. */
export function asName(text) {
  return [...text.normalize("NFC").trim()].slice(0, MOST_CHARACTERS).join("");
}
