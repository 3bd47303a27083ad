// What a page makes of other pages: windows that it opens and sends elsewhere, frames that have no origin.
import { PATIENCE, pause, tried } from "./reading.js";

async function looksInto(opened) {
  const end = Date.now() + PATIENCE;
  const still = () => {
    try {
      return Boolean(opened.location.href);
    } catch {
      return false; // it has come to a page of another origin
    }
  };
  while (still() && Date.now() < end) await pause(50);
  const looks = tried(
    () => opened.document.documentElement.innerText,
    () => opened.location.href,
    () => opened.length,
    () => opened.name,
  );
  opened.close();
  return { looks };
}

export const openedWindow = ({ to }) => looksInto(window.open(to));

export function sentWindow({ to }) {
  const opened = window.open("about:blank");
  opened.location = to;
  return looksInto(opened);
}

export function refreshedWindow({ to }) {
  const opened = window.open("about:blank");
  opened.document.write(`<meta http-equiv="refresh" content="0; url=${to}">`);
  opened.document.close();
  return looksInto(opened);
}

// The page goes there itself, and so reports nothing.
export const gone = ({ to }) => { window.location = to; };

// The attempt `inside` runs in a frame without an origin, and reports for itself.
export function sandboxed(orders) {
  const frame = document.createElement("iframe");
  const query = new URLSearchParams({ ...orders, do: orders.inside });
  frame.sandbox = "allow-scripts allow-forms allow-popups";
  frame.srcdoc = `<body><script type="module" src="${orders.evil}/attempt.js?${query}"></script>`;
  document.documentElement.append(frame);
}
