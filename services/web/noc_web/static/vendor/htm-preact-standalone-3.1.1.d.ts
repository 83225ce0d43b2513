/** What ui.js passes on of it; ours, not taken from the package. */

type Update<T> = (next: T | ((before: T) => T)) => void;

export function html(parts: TemplateStringsArray, ...values: any[]): any;
export function render(view: any, into: Element): void;
export function useState<T>(first: T): [T, Update<T>];
export function useEffect(act: () => unknown, on?: readonly unknown[]): void;
export function useLayoutEffect(act: () => unknown, on?: readonly unknown[]): void;
export function useMemo<T>(make: () => T, on: readonly unknown[]): T;
export function useCallback<T extends (...given: any[]) => unknown>(act: T, on: readonly unknown[]): T;
export function useRef<T>(first: T): { current: T };
