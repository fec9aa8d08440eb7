// Describes JSON schemas in words.

import { element } from "./dom.js";

// Deeper fields would only repeat what the reply's own route says.
const DEEPEST = 5;

/** Return a text's parts; those between backquotes are code. */
export function worded(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

/** Return an entry of a list of fields. `inner` is the list of the field's own fields. */
export function field(name, rules, text, inner = null) {
  return element("li", {}, element("code", {}, name), element("span.quiet", {}, ` ${rules}`), ...(text ? [" – ", ...worded(text)] : []), inner);
}

/** Name a schema's type, with its limits. */
export function kind(schema) {
  const { type, format, contentEncoding, enum: values, const: only, minimum, maximum, default: usual } = schema;
  const name = format === "binary" ? "file" : contentEncoding ? `${type} in ${contentEncoding}` : [type ?? "any"].flat().join(" or ");
  const range = minimum !== undefined && maximum !== undefined ? `${minimum} to ${maximum}` : minimum !== undefined ? `at least ${minimum}` : "";
  const rules = [
    range,
    values && `one of ${values.join(", ")}`,
    only !== undefined && `always ${only}`,
    schema.maxLength !== undefined && `at most ${schema.maxLength} characters`,
    usual !== undefined && `default ${usual}`,
  ];
  return [name, ...rules.filter(Boolean)].join("; ");
}

/** Return a list of an object's fields, or of those of a list's entries; null if it has none. `resolved` follows references. */
export function fields(schema, resolved, depth = 0) {
  const whole = resolved(schema);
  if (depth === DEEPEST) return null;
  if (whole.items) return fields(whole.items, resolved, depth);
  const entries = Object.entries(whole.properties ?? {});
  // An object with any names has one schema for all values.
  if (!entries.length && whole.additionalProperties?.$ref) return fields(whole.additionalProperties, resolved, depth);
  if (!entries.length) return null;
  const rows = entries.map(([name, part]) => {
    const one = resolved(part);
    const of = one.items ? ` of ${kind(resolved(one.items))}` : "";
    const optional = whole.required?.includes(name) ? "" : ", not always";
    return field(name, `${kind(one)}${of}${optional}`, part.description ?? one.description, fields(one, resolved, depth + 1));
  });
  return element("ul.fields", {}, ...rows);
}
