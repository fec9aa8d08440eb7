// Sends the requests of standard input, one JSON object a line; writes each answer as one of standard output.
import { createInterface } from "node:readline";

for await (const line of createInterface({ input: process.stdin })) {
  const { method, url, form } = JSON.parse(line);
  let body;
  if (form) {
    body = new FormData();
    for (const [name, value] of Object.entries(form)) body.append(name, value);
  }
  const reply = await fetch(url, { method, body });
  console.log(JSON.stringify({ status: reply.status, text: await reply.text() }));
}
