// @ts-check
// Requests to the HTTP API. What goes wrong is thrown as one readable kind of error.

const ROOT = "/api/v1";

export class ApiError extends Error {
  /** @param {number} status @param {string} sentence @param {{field: string, detail: string}[]} fields */
  constructor(status, sentence, fields = []) {
    super(sentence);
    this.status = status;
    this.fields = fields;
  }

  /** The sentences about one field. @param {string} field */
  of(field) {
    return this.fields.filter((one) => one.field === field || one.field.startsWith(`${field}[`)).map((one) => one.detail);
  }
}

/** Refuses a name that something has already, as the server refuses a field: a PUT would replace that thing.
 * @param {string} field @param {string} kind what has such names @param {string} name @param {readonly string[]} taken */
export function refuseTaken(field, kind, name, taken) {
  if (!taken.includes(name)) return;
  const sentence = `A ${kind} '${name}' exists already; choose another name.`;
  throw new ApiError(409, sentence, [{ field, detail: sentence }]);
}

const token = () => document.querySelector('meta[name="csrf"]')?.getAttribute("content") ?? "";

/** @param {string} method @param {string} path @param {{body?: unknown, text?: string, type?: string, signal?: AbortSignal}} [more]
 * @returns {Promise<any>} */
async function call(method, path, more = {}) {
  let response = await ask(method, path, more);
  // A log-in in another tab made the token of this page void.
  if (response.status === 400 && method !== "GET" && (await renewToken())) response = await ask(method, path, more);
  if (response.status === 401) {
    toLogin();
    throw new ApiError(401, "You are logged out. Log in in another tab, then try again: what you typed is still here.");
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, answer?.detail ?? `The server answered ${response.status}.`, answer?.errors ?? []);
  return answer;
}

/** @param {string} method @param {string} path @param {{body?: unknown, text?: string, type?: string, signal?: AbortSignal}} more */
async function ask(method, path, { body, text, type = "application/json", signal }) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = token();
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
  if (sent !== undefined) headers["Content-Type"] = type;
  try {
    return await fetch(ROOT + path, { method, headers, body: sent, signal, credentials: "same-origin" });
  } catch (error) {
    if (/** @type {Error} */ (error).name === "AbortError") throw error;
    throw new ApiError(0, "The server cannot be reached now; try again in a moment.");
  }
}

/** Whether the server gave this page a token anew. */
async function renewToken() {
  const answer = await fetch("/", { credentials: "same-origin" }).catch(() => null);
  const page = new DOMParser().parseFromString((await answer?.text()) ?? "", "text/html");
  const found = page.querySelector('meta[name="csrf"]')?.getAttribute("content");
  if (found) document.querySelector('meta[name="csrf"]')?.setAttribute("content", found);
  return Boolean(found);
}

/** Not while a form is open: what is typed there would be lost. */
function toLogin() {
  if (document.querySelector("dialog[open] form")) return;
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** @param {Record<string, string|number|null|undefined>} query */
export function search(query) {
  const found = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return found.length ? `?${new URLSearchParams(found.map(([name, value]) => [name, String(value)]))}` : "";
}

/** An address below the API, for links. @param {string} path @param {Record<string, any>} [query] */
export const address = (path, query = {}) => ROOT + path + search(query);

/** A path from parts that may have any character, slashes kept. @param {string} path */
export const encoded = (path) => path.split("/").map(encodeURIComponent).join("/");

export const api = {
  /** @param {string} path @param {Record<string, any>} [query] @param {AbortSignal} [signal] */
  get: (path, query = {}, signal) => call("GET", path + search(query), { signal }),
  /** @param {string} path @param {unknown} [body] */
  post: (path, body) => call("POST", path, { body }),
  /** @param {string} path @param {string} text @param {string} type */
  postText: (path, text, type) => call("POST", path, { text, type }),
  /** @param {string} path @param {unknown} body */
  put: (path, body) => call("PUT", path, { body }),
  /** @param {string} path @param {unknown} body */
  patch: (path, body) => call("PATCH", path, { body }),
  /** @param {string} path @param {Record<string, any>} [query] */
  delete: (path, query = {}) => call("DELETE", path + search(query)),
};
