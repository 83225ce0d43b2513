/** What socket.js uses of it; ours, not taken from the package. */

export interface Socket {
  readonly connected: boolean;
  /** false: it was refused and waits to be told to try again */
  readonly active: boolean;
  on(event: string, listener: (body: any) => void): Socket;
  emit(event: string, body: unknown): Socket;
  connect(): Socket;
  disconnect(): Socket;
}

export function io(options: {
  transports: readonly string[];
  reconnectionDelay: number;
  reconnectionDelayMax: number;
  randomizationFactor?: number;
}): Socket;
