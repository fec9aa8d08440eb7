// Add many: adds the largest face of each picture in a folder, named after the file or folder.

import { call } from "./api.js";
import { csv, dropped, fileName, folderName, isPicture, selected } from "./bulk_files.js";
import { byId, element, plural } from "./dom.js";
import { faceSet, facesChanged } from "./face_sets.js";
import { say } from "./notices.js";
import { prepared } from "./picture.js";
import { acceptDrops } from "./sources.js";
import { explained } from "./words.js";

// Concurrent requests: enough to keep a connection busy, few enough not to slow down other users.
const AT_ONCE = 3;
const PREVIEWED = 6;
const FAILURES_SHOWN = 200;

let pictures = [];
let outcomes = [];
let work = null;

export function startBulk() {
  acceptDrops(byId("bulk-drop"), async (_, event) => choose(await dropped(event.dataTransfer)));
  for (const kind of ["folder", "files"]) {
    const input = byId(`bulk-${kind}`);
    byId(`bulk-choose-${kind}`).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      choose(selected(input));
      input.value = "";
    });
  }
  byId("bulk-check").addEventListener("change", preview);
  byId("bulk-check").addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  byId("bulk-back").addEventListener("click", () => stage("choose"));
  byId("bulk-again").addEventListener("click", () => stage("choose"));
  byId("bulk-cancel").addEventListener("click", () => work.abort());
  byId("bulk-report").addEventListener("click", download);
  addEventListener("beforeunload", (event) => work && event.preventDefault());
}

function stage(name) {
  for (const other of ["choose", "check", "run", "done"]) byId(`bulk-${other}`).hidden = other !== name;
  byId(`bulk-${name}`).querySelector("h2, button").focus();
}

function choose(files) {
  pictures = files.filter(isPicture).sort((a, b) => a.path.localeCompare(b.path, undefined, { numeric: true }));
  byId("bulk-alert").hidden = pictures.length > 0;
  if (!pictures.length) {
    byId("bulk-alert").textContent = files.length ? "None of these files is a picture." : "This folder is empty.";
    return;
  }
  const byFolder = pictures.some(({ path }) => folderName(path) !== null);
  byId("bulk-by-folder").disabled = !byFolder;
  byId(byFolder ? "bulk-by-folder" : "bulk-by-file").checked = true;
  const others = files.length - pictures.length;
  byId("bulk-count").textContent = plural(pictures.length, "picture") + (others ? `; ${plural(others, "other file")} skipped` : "");
  preview();
  stage("check");
}

function nameOf({ path }) {
  return (byId("bulk-by-folder").checked ? folderName(path) : null) ?? fileName(path);
}

function preview() {
  const people = new Map();
  for (const picture of pictures) people.set(nameOf(picture), (people.get(nameOf(picture)) ?? 0) + 1);
  const first = [...people].slice(0, PREVIEWED).map(([name, count]) => element("li", {}, element("strong", {}, name), ` ${plural(count, "picture")}`));
  const rest = people.size - first.length;
  byId("bulk-people").textContent = plural(people.size, "name");
  byId("bulk-preview").replaceChildren(...first, ...(rest > 0 ? [element("li", { className: "quiet" }, `and ${rest.toLocaleString("en")} more`)] : []));
}

async function run() {
  work = new AbortController();
  outcomes = [];
  const wanted = pictures.map((picture) => ({ ...picture, name: nameOf(picture) }));
  const options = { face_set: faceSet(), quality_filter: byId("bulk-good-only").checked ? "auto" : "none" };
  byId("bulk-progress").max = wanted.length;
  stage("run");
  progress();
  // All workers take from one queue.
  const queue = wanted.values();
  const worker = async () => {
    for (const picture of queue) {
      if (work.signal.aborted) return;
      await add(picture, options, work.signal);
      progress();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const cancelled = work.signal.aborted;
  work = null;
  facesChanged();
  report(wanted, cancelled);
}

async function add({ file, path, name }, options, signal) {
  const outcome = { path, name, token: "", failure: "" };
  try {
    const picture = await prepared(file, signal);
    picture.bitmap.close();
    const { faces } = await call("POST", "detect", { image_file: picture.blob }, signal);
    if (faces.length) {
      await call("POST", "addface", { face_token: faces[0].face_token, face_name: name, ...options }, signal);
      outcome.token = faces[0].face_token;
    } else {
      outcome.failure = "No face was found in this picture.";
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    outcome.failure = explained(error);
    // Every remaining picture would ask for the key again.
    if (error.code === "key") work.abort();
  }
  outcomes.push(outcome);
}

const failed = () => outcomes.filter(({ failure }) => failure);

function progress() {
  const bar = byId("bulk-progress");
  const before = Math.floor((bar.value / bar.max) * 10);
  bar.value = outcomes.length;
  const failures = failed().length;
  byId("bulk-counts").textContent = `${outcomes.length.toLocaleString("en")} of ${plural(bar.max, "picture")}${failures ? `, ${failures.toLocaleString("en")} failed` : ""}`;
  // Announce to screen readers at every tenth.
  if (Math.floor((bar.value / bar.max) * 10) !== before) say(byId("bulk-counts").textContent);
}

function report(wanted, cancelled) {
  const failures = failed().sort((a, b) => a.path.localeCompare(b.path, undefined, { numeric: true }));
  const tried = new Set(outcomes.map(({ path }) => path));
  const left = wanted.filter(({ path }) => !tried.has(path));
  outcomes.push(...left.map(({ path, name }) => ({ path, name, token: "", failure: "Cancelled before this picture was tried." })));
  const added = plural(tried.size - failures.length, "face");
  byId("bulk-result").textContent = cancelled ? `Cancelled: ${added} added` : failures.length ? `${added} added, ${failures.length.toLocaleString("en")} failed` : `${added} added`;
  byId("bulk-rest").textContent = [left.length ? `${plural(left.length, "picture was", "pictures were")} not tried.` : "", `Face set: ${faceSet()}.`].join(" ").trim();
  byId("bulk-failures").replaceChildren(
    ...failures.slice(0, FAILURES_SHOWN).map(({ path, failure }) => element("li", {}, element("strong", {}, path), element("span", {}, failure))),
    ...(failures.length > FAILURES_SHOWN ? [element("li", { className: "quiet" }, "See the report for the rest.")] : []),
  );
  byId("bulk-failures").hidden = !failures.length;
  stage("done");
  say(byId("bulk-result").textContent);
}

function download() {
  const rows = outcomes.map(({ path, name, token, failure }) => [path, name, token, failure ? "failed" : "added", failure]);
  const url = URL.createObjectURL(csv([["file", "name", "face_token", "outcome", "reason"], ...rows]));
  element("a", { href: url, download: "face-search-report.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
