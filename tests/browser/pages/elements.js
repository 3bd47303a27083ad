// What elements of a page ask by themselves: pictures, scripts, frames, forms, links.
import { ended, pause, tried } from "./reading.js";

function element(tag, attributes, inside = "") {
  const made = Object.assign(document.createElement(tag), { innerHTML: inside });
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  (document.body ?? document.documentElement).append(made);
  return made;
}

const looksAt = (made) =>
  tried(
    () => made.contentDocument.documentElement.innerText,
    () => made.contentWindow.document.documentElement.innerText,
    () => made.contentWindow.location.href,
    () => [...made.sheet.cssRules].map((rule) => rule.cssText),
    () => [made.naturalWidth, made.videoWidth, made.duration],
  );

export async function loaded({ tag, attributes }) {
  const complaints = [];
  self.addEventListener("error", (event) => complaints.push(event.message ?? event.type), true);
  const made = element(tag, JSON.parse(attributes));
  const how = await ended(made, "load", "error", "loadeddata");
  return { how, looks: looksAt(made), complaints };
}

export async function font({ to }) {
  const face = new FontFace("stolen", `url(${to})`);
  await face.load();
  return { status: face.status };
}

// A form needs no leave of anybody to send to another origin; its answer goes into a frame of the page.
export async function form({ to, method, enctype, field, value }) {
  const frame = element("iframe", { name: "answer" });
  const sent = element("form", { action: to, method, enctype: enctype ?? "", target: "answer" });
  if (field) Object.assign(sent.appendChild(document.createElement("input")), { name: field, value });
  const how = ended(frame, "load", "error");
  sent.submit();
  return { how: await how, looks: looksAt(frame) };
}

export async function ping({ to, evil }) {
  const link = element("a", { href: "#x", ping: to });
  link.click();
  await pause(300);
  return { clicked: link.href };
}
