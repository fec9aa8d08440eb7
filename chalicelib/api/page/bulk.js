// Add many: reads the pictures of a folder, shows them for review, adds the chosen faces and reports.

import { call } from "./api.js";
import { dropped, fileName, folderName, selected } from "./bulk_files.js";
import { personGroups } from "./bulk_groups.js";
import { read, suggest, unread } from "./bulk_pictures.js";
import { download, fileRow, showReport } from "./bulk_report.js";
import { pictureRows } from "./bulk_review.js";
import { byId, number, onClick, plural, write } from "./dom.js";
import { faceSet, facesChanged, whenFaceSetChanges } from "./face_sets.js";
import { attempt, complain, say } from "./notices.js";
import { acceptDrops } from "./sources.js";
import { explained } from "./words.js";

// Concurrent requests: enough to keep a connection busy, few enough not to slow down other users.
const AT_ONCE = 3;
const MOST_GROUPED = 1000;
const STAGES = ["choose", "run", "review", "done"];

let pictures = [];
let additions = [];
let review = null;
// The last groups, which keep their names while the user looks at the pictures.
let people = { tokens: "", groups: null };
let work = null;

export function startBulk() {
  const on = (id, listener) => onClick(`bulk-${id}`, listener);
  const drop = (transfer) => attempt(byId("bulk-alert"), async () => choose(await dropped(transfer)));
  acceptDrops(byId("bulk-drop"), (_, event) => drop(event.dataTransfer));
  for (const kind of ["folder", "files"]) {
    const input = byId(`bulk-${kind}`);
    on(`choose-${kind}`, () => input.click());
    input.addEventListener("change", () => {
      choose(selected(input));
      input.value = "";
    });
  }
  byId("bulk-names").addEventListener("change", () => {
    suggestNames();
    showRows();
  });
  // Enter in a name must not add everything.
  byId("bulk-review").addEventListener("submit", (event) => event.preventDefault());
  on("add", () => byId("bulk-review").reportValidity() && add(review.additions().map((one) => ({ ...one, set: faceSet() }))));
  on("group", () => (byId("bulk-names").hidden ? showRows() : group()));
  on("retry-reading", find);
  on("retry", () => {
    const again = additions.filter(isOpen);
    if (again.length) add(again);
    else find();
  });
  on("back", () => stage("choose"));
  on("again", () => stage("choose"));
  on("stop", () => work.abort());
  on("report", download);
  whenFaceSetChanges(() => review && count());
  addEventListener("beforeunload", (event) => (work || !byId("bulk-review").hidden) && event.preventDefault());
}

function stage(name) {
  for (const other of STAGES) byId(`bulk-${other}`).hidden = other !== name;
  byId(`bulk-${name}`).querySelector("h2, button").focus();
}

const isOpen = ({ tried, passing }) => !tried || passing;

function choose(files) {
  pictures = files.map(unread).sort((a, b) => a.path.localeCompare(b.path, undefined, { numeric: true }));
  additions = [];
  if (!pictures.some(isOpen)) {
    complain(byId("bulk-alert"), files.length ? "None of these files is a picture." : "This folder is empty.");
    return;
  }
  byId("bulk-alert").hidden = true;
  const byFolder = pictures.some(({ path }) => folderName(path) !== null);
  byId("bulk-by-folder").disabled = !byFolder;
  byId(byFolder ? "bulk-by-folder" : "bulk-by-file").checked = true;
  suggestNames();
  find();
}

function suggestNames() {
  const byFolder = byId("bulk-by-folder").checked;
  for (const picture of pictures.filter(({ edited }) => !edited)) {
    picture.name = (byFolder ? folderName(picture.path) : null) ?? fileName(picture.path);
  }
}

async function find() {
  await each(pictures.filter(isOpen), "Looking for faces …", read);
  suggest(pictures);
  const without = pictures.filter(({ failure }) => failure);
  const open = pictures.filter(isOpen).length;
  write("bulk-count", `${number(offered().length)} of ${plural(pictures.length, "file")} can be added`);
  byId("bulk-unread").hidden = !open;
  write("bulk-unread-count", `${plural(open, "picture was", "pictures were")} not read.`);
  byId("bulk-without").hidden = !without.length;
  write("bulk-without-count", `${plural(without.length, "file")} without a face to add`);
  byId("bulk-without-list").replaceChildren(...without.map(({ path, failure }) => fileRow(path, failure)));
  byId("bulk-group").hidden = !offered().length;
  showRows();
  stage("review");
}

/** Return the pictures that have faces and are not added yet. */
function offered() {
  const added = new Set(additions.filter(({ similar }) => similar).map(({ picture }) => picture));
  return pictures.filter((picture) => picture.faces.length && !added.has(picture));
}

function showRows() {
  show(pictureRows(offered(), count), false);
}

async function group() {
  const shown = review;
  const tokens = offered().flatMap(({ faces }) => faces.map(({ face_token: token }) => token));
  if (tokens.length > MOST_GROUPED) {
    const most = number(MOST_GROUPED);
    complain(byId("bulk-group-alert"), `These pictures have ${plural(tokens.length, "face")}. At most ${most} can be grouped. Choose fewer pictures.`);
    return;
  }
  if (people.tokens === String(tokens)) {
    show(people.groups, true);
    return;
  }
  write("bulk-group", "Grouping …");
  await attempt(byId("bulk-group-alert"), async () => {
    const reply = await call("POST", "groups", { face_tokens: tokens });
    // The user may have gone on meanwhile.
    if (review !== shown) return;
    people = { tokens: String(tokens), groups: personGroups(reply, offered(), count) };
    show(people.groups, true);
    say(`${plural(reply.groups.length, "group")} and ${plural(reply.ungrouped.length, "single face")}`);
  });
  if (review === shown) write("bulk-group", "Group by person");
}

function show(next, grouped) {
  review = next;
  byId("bulk-group-alert").hidden = true;
  byId("bulk-names").hidden = grouped;
  write("bulk-group", grouped ? "Review by picture" : "Group by person");
  byId("bulk-rows").replaceChildren(review.root);
  count();
}

function count() {
  const { length } = review.additions();
  write("bulk-add", `Add ${plural(length, "face")}`);
  byId("bulk-add").disabled = !length;
  write("bulk-set", `to face set ${faceSet()}`);
}

async function add(wanted) {
  const again = new Set(wanted.map(({ face }) => face));
  additions = [...additions.filter(({ face }) => !again.has(face)), ...wanted];
  const stopped = await each(wanted, "Adding faces …", async (addition, signal) => {
    const fields = { face_token: addition.face.face_token, face_name: addition.name, face_set: addition.set, check: true };
    const { similar } = await call("POST", "addface", fields, signal);
    addition.similar = similar.map((other) => other.face_name);
  });
  facesChanged();
  showReport(pictures, additions, stopped);
  const faces = additions.filter(isOpen).length;
  const files = pictures.filter(isOpen).length;
  byId("bulk-retry").hidden = !faces && !files;
  write("bulk-retry", `Retry ${faces ? plural(faces, "face") : plural(files, "picture")}`);
  stage("done");
}

/** Run `step` on each item, a few at a time. Failures are kept in the items. Resolves to whether the user stopped it. */
async function each(items, title, step) {
  work = new AbortController();
  const { signal } = work;
  let [done, failed] = [0, 0];
  write("bulk-doing", title);
  const progress = () => {
    byId("bulk-progress").max = items.length;
    byId("bulk-progress").value = done;
    const failures = failed ? `, ${number(failed)} failed` : "";
    write("bulk-counts", `${number(done)} of ${number(items.length)}${failures}`);
    // Announce to screen readers at every tenth.
    if (done % Math.ceil(items.length / 10) === 0) say(byId("bulk-counts").textContent);
  };
  progress();
  stage("run");
  // All workers take from one queue.
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) {
      if (signal.aborted) return;
      Object.assign(item, { tried: false, failure: "", passing: false });
      try {
        await step(item, signal);
      } catch (error) {
        if (error.name === "AbortError") return;
        Object.assign(item, { failure: explained(error), passing: error.passes });
        failed += 1;
        // Every remaining item would ask for the key again.
        if (error.code === "key") work.abort();
      }
      item.tried = true;
      done += 1;
      progress();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  work = null;
  return signal.aborted;
}
