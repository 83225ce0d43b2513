// @ts-check
// The pages there are, as the server's table in the shell says. Pure but for reading it.

/** @typedef {{name: string, address: string, title: string, is_linked: boolean}} Page */

/** @type {readonly Page[]} */
export const PAGES = JSON.parse(globalThis.document?.getElementById("pages")?.textContent ?? "[]");

/** The page that a path names, and what stands in place of its variable; without a page: it names none.
 * @param {string} path @param {readonly Page[]} pages @returns {{page: Page|undefined, id: string}} */
export function pageOf(path, pages) {
  for (const page of pages) {
    const [fixed, variable] = page.address.split("<");
    if (variable === undefined ? path === fixed : path.startsWith(fixed) && path.length > fixed.length) {
      return { page, id: variable === undefined ? "" : decoded(path.slice(fixed.length)) };
    }
  }
  return { page: undefined, id: "" };
}

/** What is no encoded text names nothing, as it stands. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
