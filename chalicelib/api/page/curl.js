// Writes a request of the OpenAPI document as a command of curl.

// An argument without an example of its own.
const SOME = { string: "…", integer: 1, number: 1, boolean: true };

const example = (one) => String(one.example ?? one.examples?.[0] ?? one.schema?.default ?? one.default ?? SOME[one.schema?.type ?? one.type] ?? "…");

/** Quote a word for a shell. */
const quoted = (text) => (/^[\w./:@=?&%,+-]+$/.test(text) && !/[?&]/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** Return the command for an operation below the address `root`. It has all arguments that are needed. */
export function curl(root, method, path, operation) {
  const taken = (place) => (operation.parameters ?? []).filter((one) => one.in === place && (one.required || place === "path"));
  const filled = taken("path").reduce((made, one) => made.replace(`{${one.name}}`, encodeURIComponent(example(one))), path);
  const query = taken("query").map((one) => `${one.name}=${encodeURIComponent(example(one))}`).join("&");
  const parts = ["curl"];
  if (method !== "get" && method !== "post") parts.push(`-X ${method.toUpperCase()}`);
  if (operation.security.length) parts.push("-H 'x-api-key: YOUR-KEY'");
  const form = sent(operation);
  if (method === "post" && !form.length) parts.push("-X POST");
  parts.push(...form.map((field) => `-F ${quoted(field)}`), quoted(root + filled + (query && `?${query}`)));
  return parts.join(" \\\n  ");
}

/** Return the form's fields: those that are required, and the first of each choice. */
function sent({ requestBody }) {
  const { properties = {}, required = [], allOf = [], anyOf = [] } = requestBody?.content["multipart/form-data"]?.schema ?? {};
  const choices = [...allOf.map(({ oneOf }) => oneOf[0]), ...anyOf.slice(0, 1)].flatMap((one) => one.required);
  return [...required, ...choices].map((name) => {
    const one = properties[name];
    return one.format === "binary" ? `${name}=@${name.replace("image_file", "picture")}.jpg` : `${name}=${example(one)}`;
  });
}
