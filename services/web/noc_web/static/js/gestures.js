// @ts-check
// How a chart is moved along and scaled: by the mouse, its wheel, one finger or two. What a drag of the mouse selects is uPlot's own.

import { panned, pinched, scaled } from "./period.js";

/** @typedef {import("./period.js").Period} Period */

const WHEEL_STEP = 1.0015;
const LINE_PX = 16;
/** A wheel says nothing of its end. */
const STILL_MS = 250;
/** Less far a finger has not moved, but touched. */
const TOUCH_PX = 6;

/** `show` draws the period while it changes, `done` is told what it has become.
 * @param {{over: HTMLElement, axis: HTMLElement|null, period: () => Period, now: () => number, show: (period: Period) => void, done: (period: Period) => void}} given
 *   `over`: the plot, `axis`: the axis of time below it
 * @returns {{startsPan: (event: MouseEvent) => boolean, isHeld: () => boolean, end: () => void}} `startsPan`: whether this press of a button begins to move the chart */
export function steered({ over, axis, period, now, show, done }) {
  /** @type {Map<number, number>} */
  const fingers = new Map();
  let start = { period: period(), places: /** @type {number[]} */ ([]) };
  let latest = /** @type {Period|null} */ (null);
  let timer = 0;
  const stop = new AbortController();

  const share = (/** @type {number} */ clientX) => (clientX - over.getBoundingClientRect().left) / over.clientWidth;
  const change = (/** @type {Period} */ next) => {
    latest = next;
    show(next);
  };
  const finish = () => {
    clearTimeout(timer);
    const reached = latest;
    latest = null;
    if (reached) done(reached);
  };
  const begin = () => {
    start = { period: latest ?? period(), places: [...fingers.values()].slice(0, 2) };
  };

  const startPan = (/** @type {MouseEvent} */ event) => {
    event.preventDefault();
    const [from, was] = [share(event.clientX), period()];
    const follow = (/** @type {MouseEvent} */ move) => change(panned(was, (from - share(move.clientX)) * (was.to - was.from), now()));
    const held = new AbortController();
    document.addEventListener("mousemove", follow, { signal: held.signal });
    document.addEventListener("mouseup", () => (held.abort(), finish()), { signal: held.signal });
  };
  const startsPan = (/** @type {MouseEvent} */ event) => {
    const isPan = (event.button === 0 && event.shiftKey) || event.button === 1;
    if (isPan) startPan(event);
    return isPan;
  };
  axis?.addEventListener("mousedown", (event) => event.button === 0 && startPan(event), { signal: stop.signal });

  const wheel = (/** @type {WheelEvent} */ event) => {
    const size = event.deltaMode ? LINE_PX : 1;
    const [x, y] = [event.deltaX * size, event.deltaY * size];
    const isZoom = event.ctrlKey || event.metaKey;
    const along = event.shiftKey && !x ? y : Math.abs(x) > Math.abs(y) ? x : 0;
    // Up and down belongs to the page.
    if (!isZoom && !along) return;
    event.preventDefault();
    const shown = latest ?? period();
    const span = shown.to - shown.from;
    change(isZoom ? scaled(shown, shown.from + share(event.clientX) * span, WHEEL_STEP ** y, now()) : panned(shown, (along / over.clientWidth) * span, now()));
    clearTimeout(timer);
    timer = setTimeout(finish, STILL_MS);
  };
  over.addEventListener("wheel", wheel, { passive: false, signal: stop.signal });
  axis?.addEventListener("wheel", wheel, { passive: false, signal: stop.signal });

  const touched = (/** @type {"pointerdown"|"pointermove"|"pointerup"|"pointercancel"} */ on, /** @type {(event: PointerEvent) => void} */ act) =>
    over.addEventListener(on, (event) => event.pointerType === "touch" && act(event), { signal: stop.signal });
  touched("pointerdown", (event) => {
    fingers.set(event.pointerId, share(event.clientX));
    begin();
  });
  touched("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, share(event.clientX));
    const [first, second] = [...fingers.values()];
    const was = start.period;
    if (start.places.length > 1) change(pinched(was, [start.places[0], start.places[1]], [first, second], now()));
    else if (latest || Math.abs(first - start.places[0]) * over.clientWidth > TOUCH_PX) change(panned(was, (start.places[0] - first) * (was.to - was.from), now()));
  });
  const lift = (/** @type {PointerEvent} */ event) => {
    fingers.delete(event.pointerId);
    if (fingers.size) begin();
    else finish();
  };
  touched("pointerup", lift);
  // The page moves up or down instead.
  touched("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    if (latest) show(start.period);
    latest = null;
    if (fingers.size) begin();
  });
  return { startsPan, isHeld: () => latest !== null || fingers.size > 0, end: () => (stop.abort(), clearTimeout(timer)) };
}
