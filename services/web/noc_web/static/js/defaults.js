// @ts-check
// What a target is when nobody sets anything: the API's own description says it.

import { api } from "./api.js";

/** @type {Promise<Record<string, any>>|null} */
let asked = null;

/** @returns {Promise<Record<string, any>>} */
export function defaults() {
  asked ??= api.get("/openapi.json").then(
    (described) => {
      const properties = described?.components?.schemas?.Target?.properties ?? {};
      return Object.fromEntries(Object.entries(properties).filter(([, one]) => "default" in one).map(([name, one]) => [name, one.default]));
    },
    () => {
      asked = null;
      return {};
    },
  );
  return asked;
}
