// Starts the page and shows the view that its address names.

import { startBulk } from "./bulk.js";
import { startCompare } from "./compare.js";
import { startDialogs } from "./dialogs.js";
import { byId, icon } from "./dom.js";
import { startFaceSets } from "./face_sets.js";
import { startFind } from "./find.js";
import { startKey } from "./key.js";
import { startAbout } from "./model.js";
import { startNotices } from "./notices.js";
import { showPeople, startPeople } from "./people.js";
import { startRecovery } from "./recovery.js";
import { startRemovals } from "./removals.js";
import { address, startRoutes, whenRouteChanges } from "./route.js";
import { startSources } from "./sources.js";
import { startSuggestions } from "./suggestions.js";

const VIEWS = ["find", "people", "add", "compare"];

function showView(route, place, before) {
  const wanted = VIEWS.includes(route.view) && (route.view === "people" || !route.person) ? route.view : "missing";
  for (const name of [...VIEWS, "missing"]) byId(name).hidden = name !== wanted;
  document.title = "Face search";
  for (const link of document.querySelectorAll("nav a")) {
    const { view } = link.dataset;
    link.href = address({ view });
    link.toggleAttribute("aria-current", view === wanted);
    if (view === wanted) {
      link.setAttribute("aria-current", "page");
      document.title = `${link.textContent.trim()} – Face search`;
    }
  }
  scrollTo(0, place.y ?? 0);
  if (wanted === "people") showPeople(route, place, before);
}

startNotices();
startRecovery();
startRemovals();
startDialogs();
startKey();
startAbout();
startSources();
startSuggestions();
startFind();
startPeople();
startBulk();
startCompare();
for (const place of document.querySelectorAll("[data-icon]")) place.prepend(icon(place.dataset.icon));
document.querySelector(".skip").addEventListener("click", (event) => {
  // The address names the view.
  event.preventDefault();
  byId("main").focus();
});
whenRouteChanges(showView);
startRoutes();
startFaceSets();
