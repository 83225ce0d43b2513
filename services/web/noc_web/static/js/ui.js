// @ts-check
// The one place that names the vendored view library, and says what its parts take and give.

import * as vendored from "../vendor/htm-preact-standalone-3.1.1.js";

/**
 * @typedef {object} Library
 * @property {(parts: TemplateStringsArray, ...values: any[]) => any} html
 * @property {(view: any, into: Element) => void} render
 * @property {<T>(first: T) => [T, (next: T | ((before: T) => T)) => void]} useState
 * @property {(act: () => unknown, on?: readonly unknown[]) => void} useEffect
 * @property {(act: () => unknown, on?: readonly unknown[]) => void} useLayoutEffect
 * @property {<T>(make: () => T, on: readonly unknown[]) => T} useMemo
 * @property {<T extends (...given: any[]) => unknown>(act: T, on: readonly unknown[]) => T} useCallback
 * @property {<T>(first: T) => {current: T}} useRef
 */

export const { html, render, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } = /** @type {Library} */ (
  /** @type {unknown} */ (vendored)
);
