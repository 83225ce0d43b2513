// @ts-check
// The demonstration's line above the page: what happens next, and a button that makes it happen now.

const POLL_MS = 2000;
const TICK_MS = 250;

/** @typedef {{id: string, headline: string, in_s: number, ends_in_s: number | null}} Happening */

/** @type {Happening[]} */
let events = [];
let heardMs = 0;
let mails = 0;

const csrf = document.querySelector('meta[name="csrf"]')?.getAttribute("content") ?? "";
const mayCall = document.querySelector('meta[name="role"]')?.getAttribute("content") !== "viewer";

/** @param {string} tag @param {Record<string, string>} attributes @param {...(Node | string)} children */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const next = element("span", { class: "demo-next", "data-testid": "demo-next", role: "status", "aria-live": "off" });
const now = /** @type {HTMLButtonElement} */ (element("button", { "data-testid": "demo-now" }, "Make it happen now"));
const list = element("ul");
const menu = element("details", { class: "demo-events", "data-testid": "demo-events" }, element("summary", {}, "All events"), list);
const letters = element("a", { href: "/demo/mails", "data-testid": "demo-mails" });
const bar = element("aside", { class: "demo-bar", "aria-label": "Demonstration", "data-testid": "demo-bar" });
bar.append(element("strong", {}, "Demonstration"), next, ...(mayCall ? [now, menu] : []), letters);

/** @param {number} seconds */
function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 90 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** What is due first of what is not happening already. */
function coming() {
  const waiting = events.filter((event) => event.ends_in_s === null);
  return waiting.sort((one, other) => one.in_s - other.in_s)[0];
}

function draw() {
  const passedS = (performance.now() - heardMs) / 1000;
  const first = coming();
  const running = events.filter((event) => event.ends_in_s !== null);
  const happening = running.map((event) => `now: ${event.headline} (${duration((event.ends_in_s ?? 0) - passedS)} left)`);
  const ahead = first ? [`next: ${first.headline} in ${duration(first.in_s - passedS)}`] : [];
  now.disabled = !first;
  say(next, [...happening, ...ahead].join(" · "));
  say(letters, `Mails (${mails})`);
}

/** What is said already is not written again: each writing lays out and paints the page. @param {Element} where @param {string} text */
function say(where, text) {
  if (where.textContent === text) return;
  where.textContent = text;
  fit();
}

/** The page begins below the bar, however high that is. */
function fit() {
  document.documentElement.style.setProperty("--demo-bar-height", `${bar.offsetHeight}px`);
}

function drawMenu() {
  list.replaceChildren(
    ...events.map((event) => {
      const press = /** @type {HTMLButtonElement} */ (element("button", { "data-event": event.id }, event.ends_in_s === null ? "Now" : "Running"));
      press.disabled = event.ends_in_s !== null;
      press.addEventListener("click", () => call(event.id));
      return element("li", {}, element("span", {}, event.headline.charAt(0).toUpperCase() + event.headline.slice(1)), press);
    }),
  );
}

/** @param {Response} answer */
async function take(answer) {
  if (!answer.ok) return;
  const said = await answer.json();
  const before = events.map((event) => event.id + (event.ends_in_s === null)).join();
  events = said.events;
  mails = said.mails;
  heardMs = performance.now();
  if (before !== events.map((event) => event.id + (event.ends_in_s === null)).join()) drawMenu();
  draw();
}

/** @param {string} event */
async function call(event) {
  await take(await fetch(`/demo/events/${event}`, { method: "POST", headers: { "X-CSRFToken": csrf } }));
}

async function poll() {
  // A page whose server is gone says so itself, and louder.
  await fetch("/demo/status").then(take, () => undefined);
  setTimeout(poll, POLL_MS);
}

now.addEventListener("click", () => {
  const first = coming();
  if (first) call(first.id);
});
document.body.prepend(bar);
addEventListener("resize", fit);
setInterval(draw, TICK_MS);
poll();
