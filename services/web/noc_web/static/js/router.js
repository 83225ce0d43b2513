// @ts-check
// Which page is shown: the address is the truth, history goes back and forth.

import { PAGES, pageOf } from "./pages.js";
import { useEffect, useState } from "./ui.js";

const CHANGED = "noc:navigated";

/** @param {string} address @param {{replace?: boolean, isZoom?: boolean}} [how] `isZoom`: going back is what undoes it */
export function navigate(address, { replace = false, isZoom = false } = {}) {
  if (address === location.pathname + location.search) return;
  const before = location.pathname;
  history[replace ? "replaceState" : "pushState"]({ isZoom }, "", address);
  if (address.split("?")[0] !== before) window.scrollTo(0, 0);
  window.dispatchEvent(new Event(CHANGED));
}

/** Change some parts of the query; empty ones leave it. `replace`: not worth a step of its own in the history.
 * @param {Record<string, string|null>} changes @param {{replace?: boolean, isZoom?: boolean}} [how] */
export function setQuery(changes, how = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  navigate(location.pathname + (text ? `?${text}` : ""), how);
}

/** The present address, followed. @returns {{path: string, query: URLSearchParams}} */
export function useAddress() {
  const [address, setAddress] = useState(location.pathname + location.search);
  useEffect(() => {
    const follow = () => setAddress(location.pathname + location.search);
    follow();
    window.addEventListener(CHANGED, follow);
    window.addEventListener("popstate", follow);
    return () => {
      window.removeEventListener(CHANGED, follow);
      window.removeEventListener("popstate", follow);
    };
  }, []);
  const [path, query = ""] = address.split("?");
  return { path, query: new URLSearchParams(query) };
}

/** Links to our own pages do not load anything. */
export function followLinks() {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    const address = link?.getAttribute("href") ?? "";
    if (!link || link.hasAttribute("download") || link.hasAttribute("target") || !isOurs(address)) return;
    event.preventDefault();
    navigate(address);
  });
}

/** @param {string} address */
const isOurs = (address) => address.startsWith("/") && pageOf(address.split("?")[0], PAGES).page !== undefined;
