// Keeps the view, the person, the search and the face set in the page's address, and the place in each view.

export const DEFAULT_SET = "default";
const STORED = "face-search-places";

const listeners = [];
// By number of a history entry: how far it was scrolled, how many rows it had, and which row had the focus.
const places = JSON.parse(sessionStorage.getItem(STORED) ?? "[]");
let route = { view: "find", person: "", name: "", set: DEFAULT_SET };
let entry = null;

export const currentRoute = () => route;

/** Call `listener` with the new route, the place in it, and the old route (null at the start). */
export const whenRouteChanges = (listener) => listeners.push(listener);

/** Return an address in this page. Without `set` it keeps the face set. */
export function address({ view, person = "", name = "", set = route.set }) {
  const terms = String(new URLSearchParams({ ...(set !== DEFAULT_SET && { set }), ...(name && { name }) }));
  return `#/${view}${person && `/${encodeURIComponent(person)}`}${terms && `?${terms}`}`;
}

/** Open an address in a new history entry, or in the present one. */
export function go(hash, { place = {}, replace = false } = {}) {
  if (replace) {
    places[entry] = place;
  } else {
    leave();
    entry = places.push(place) - 1;
  }
  history[replace ? "replaceState" : "pushState"]({ entry }, "", hash);
  arrive(route);
}

export function startRoutes() {
  history.scrollRestoration = "manual";
  addEventListener("hashchange", () => {
    leave();
    arrive(route);
  });
  addEventListener("pagehide", () => {
    leave();
    sessionStorage.setItem(STORED, JSON.stringify(places));
  });
  arrive(null);
}

function leave() {
  const rows = document.querySelectorAll("section:not([hidden]) [data-key]").length;
  places[entry] = { y: scrollY, rows, key: document.activeElement?.closest("[data-key]")?.dataset.key };
}

function arrive(before) {
  route = parsed(location.hash);
  entry = history.state?.entry;
  // A link or a typed address made this entry.
  if (!places[entry]) entry = places.push({}) - 1;
  history.replaceState({ entry }, "", route.view ? address(route) : location.hash);
  listeners.forEach((listener) => listener(route, places[entry], before));
}

/** Read an address. Without a slash (`#people`) it keeps the face set. The view of a broken address is empty. */
function parsed(hash) {
  const [path, query] = hash.slice(1).split("?");
  const terms = new URLSearchParams(query);
  const set = terms.get("set") || (path && !path.startsWith("/") ? route.set : DEFAULT_SET);
  const [view, ...person] = path.replace(/^\//, "").split("/");
  try {
    return { view: view || "find", person: decodeURIComponent(person.join("/")), name: terms.get("name") ?? "", set };
  } catch {
    return { view: "", person: "", name: "", set };
  }
}
