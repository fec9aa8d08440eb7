// Names the people in a picture: node identify.mjs picture.jpg
import { readFile } from "node:fs/promises";
import { call } from "./face_search.mjs";

const service = {
  url: process.env.FACE_SEARCH_URL ?? "http://localhost:8000",
  key: process.env.FACE_SEARCH_KEY, // only a deployed service needs a key
};

try {
  const picture = new Blob([await readFile(process.argv[2])]);
  const { faces } = await call(service, "POST", "/identify", { image_file: picture, limit: 1 });
  for (const { matches } of faces) console.log(matches[0]?.face_name ?? "unknown");
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
