// What a script asks without an element: fetch, XMLHttpRequest, workers, sockets, beacons.
import { PATIENCE, answerOf, ended, within } from "./reading.js";

export const fetched = ({ to, init }) => answerOf(fetch(to, JSON.parse(init ?? "{}")));

export async function xhr({ to, method, metadata, body }) {
  const asked = new XMLHttpRequest();
  asked.timeout = PATIENCE;
  asked.open(method ?? "GET", to);
  if (metadata) asked.setRequestHeader("Metadata", metadata);
  const how = ended(asked, "loadend");
  asked.send(body);
  return { how: await how, status: asked.status, text: asked.responseText, headers: asked.getAllResponseHeaders() };
}

export async function inWorker({ to, init }) {
  const script = `fetch(${JSON.stringify(to)}, ${init}).then((answer) => answer.text()).then(postMessage, (e) => postMessage(String(e)))`;
  const worker = new Worker(URL.createObjectURL(new Blob([script])));
  return await within(new Promise((resolve) => { worker.onmessage = (event) => resolve(event.data); }));
}

// It stands between its pages and the network: what they cannot read, it may try to.
export async function inServiceWorker({ to, init }) {
  const registered = await navigator.serviceWorker.register("/service.js");
  const { active } = await within(navigator.serviceWorker.ready);
  const answer = new Promise((resolve) => { navigator.serviceWorker.onmessage = (event) => resolve(event.data); });
  active.postMessage({ to, init: JSON.parse(init) });
  const read = await within(answer);
  await registered.unregister();
  return read;
}

export async function eventSource({ to }) {
  const source = new EventSource(to, { withCredentials: true });
  const heard = [];
  source.onmessage = (event) => heard.push(event.data);
  const how = await ended(source, "open", "error");
  source.close();
  return { how, heard };
}

export async function webSocket({ to }) {
  const socket = new WebSocket(to.replace("http", "ws"));
  const heard = [];
  socket.onmessage = (event) => heard.push(event.data);
  return { how: await ended(socket, "open", "close"), heard };
}

export const beacon = ({ to, body }) => navigator.sendBeacon(to, body);

export const imported = ({ to }) => within(import(to).then(Object.keys));

// The browser opens a TCP connection to the port that the page names, and speaks first: bytes that are no HTTP.
export async function relay({ to }) {
  const { hostname, port } = new URL(to);
  const urls = `turn:${hostname}:${port}?transport=tcp`;
  const peer = new RTCPeerConnection({ iceServers: [{ urls, username: "u", credential: "c" }] });
  const errors = [];
  peer.onicecandidateerror = (event) => errors.push([event.errorCode, event.errorText]);
  peer.createDataChannel("x");
  await peer.setLocalDescription(await peer.createOffer());
  await within(new Promise((resolve) => {
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
  }));
  peer.close();
  return { errors };
}
