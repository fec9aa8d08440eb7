// The page of the API's documentation: shows the OpenAPI document, by tag.

import { curl } from "./curl.js";
import { byId, element, write } from "./dom.js";
import { field, fields, kind, worded } from "./schema.js";

// The page may be below a stage's path.
const ROOT = location.origin + location.pathname.replace(/\/docs\/?$/, "");
// HEAD has the headers of GET, and nothing else.
const METHODS = ["get", "post", "put", "delete"];

let described;

const prose = (text) => element("p", {}, ...worded(text));
const resolved = (part) => (part.$ref ? part.$ref.split("/").slice(1).reduce((within, name) => within[name], described) : part);
const code = (text) => element("code", {}, text);

function parameters(operation) {
  if (!operation.parameters?.length) return [];
  const rows = operation.parameters.map((one) =>
    field(one.name, `in the ${one.in}; ${kind(one.schema)}${one.required ? "; required" : ""}`, one.description),
  );
  return [element("h4", {}, "Arguments"), element("ul.fields", {}, ...rows)];
}

function body(operation) {
  if (!operation.requestBody) return [];
  const types = Object.keys(operation.requestBody.content);
  const { properties, required = [], allOf = [], anyOf = [] } = resolved(operation.requestBody.content[types[0]].schema);
  const rows = Object.entries(properties).map(([name, one]) => field(name, `${kind(one)}${required.includes(name) ? "; required" : ""}`, one.description));
  const named = (choices) => choices.map((one) => one.required[0]).join(", ");
  return [
    element("h4", {}, "Body"),
    element("p.quiet", {}, `One of: ${types.join(", ")}. Only a multipart form has files.`),
    ...allOf.map(({ oneOf }) => element("p", {}, `Exactly one of these is required: ${named(oneOf)}.`)),
    ...(anyOf.length ? [element("p", {}, `At least one of these is required: ${named(anyOf)}.`)] : []),
    element("ul.fields", {}, ...rows),
  ];
}

function replies(title, operation) {
  const all = Object.entries(operation.responses).map(([status, reply]) => [status, resolved(reply)]);
  const good = all.filter(([status]) => status < "400").map(([status, reply]) => {
    const [type, content] = Object.entries(reply.content ?? {})[0] ?? [];
    const shape = content && fields(content.schema, resolved);
    return element(
      "div",
      {},
      element("p", {}, element("strong", {}, status), ` ${reply.description} `, type && type !== "application/json" ? code(type) : null),
      shape && element("details", {}, element("summary", {}, "Fields of the reply", element("span.unseen", {}, ` ${status} of ${title}`)), shape),
    );
  });
  const bad = all.filter(([status]) => status >= "400").flatMap(([status, reply]) => {
    const errors = Object.values(reply.content["application/json"].examples).map(({ value }) => value);
    return errors.map((error) => field(status, `${error.error_code} ${error.error_msg}`, error.detail));
  });
  return [
    element("h4", {}, "Replies"),
    ...good,
    element("details", {}, element("summary", {}, "Errors", element("span.unseen", {}, ` of ${title}`)), element("ul.fields", {}, ...bad)),
  ];
}

function article(method, path, operation) {
  const title = `${method.toUpperCase()} ${path}`;
  return element(
    "article.operation",
    { id: operation.operationId, "aria-labelledby": `${operation.operationId}-title` },
    element("h3", { id: `${operation.operationId}-title` }, element("span", { className: `method ${method}` }, method.toUpperCase()), path),
    prose(`${operation.summary}.`),
    ...(operation.description ? [prose(operation.description)] : []),
    element("p.quiet", {}, operation.security.length ? "Where deployed, needs an API key in the header x-api-key." : "Needs no API key."),
    ...parameters(operation),
    ...body(operation),
    element("h4", {}, "Example"),
    element("pre", { tabIndex: 0, role: "region", "aria-label": `Example of ${title}` }, code(curl(ROOT, method, path, operation))),
    ...replies(title, operation),
  );
}

function show() {
  const every = Object.entries(described.paths).flatMap(([path, operations]) =>
    METHODS.filter((method) => operations[method]).map((method) => ({ method, path, operation: operations[method] })),
  );
  write("title", `${described.info.title} API ${described.info.version}`);
  byId("about").append(
    ...described.info.description.trim().split(/\n\n+/).map((text) => prose(text.replace(/\n/g, " "))),
    prose("HEAD is accepted wherever GET only reads. It has the headers of GET's reply."),
  );
  for (const { name, description } of described.tags) {
    const tagged = every.filter(({ operation }) => operation.tags.includes(name));
    const title = name[0].toUpperCase() + name.slice(1);
    const links = tagged.map(({ method, path, operation }) =>
      element("li", {}, element("a", { href: `#${operation.operationId}` }, element("span", { className: `method ${method}` }, method.toUpperCase()), path)),
    );
    byId("contents").append(element("h2", {}, title), element("ul", {}, ...links));
    const articles = tagged.map(({ method, path, operation }) => article(method, path, operation));
    byId("operations").append(element("section.tag", { "aria-label": title }, element("h2", {}, title), prose(description), ...articles));
  }
  byId("state").hidden = true;
  // The browser looked for the address's anchor before it existed.
  byId(location.hash.slice(1))?.scrollIntoView();
}

async function load() {
  byId("console").href = `${ROOT}/`;
  byId("document").href = `${ROOT}/openapi.json`;
  try {
    const reply = await fetch(`${ROOT}/openapi.json`);
    if (!reply.ok) throw new Error(`status ${reply.status}`);
    described = await reply.json();
  } catch {
    byId("state").hidden = true;
    write("alert", "The documentation could not be loaded. Check your connection, then reload the page.");
    byId("alert").hidden = false;
    return;
  }
  show();
}

load();
