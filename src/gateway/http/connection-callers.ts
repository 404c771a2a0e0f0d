import type { Socket } from 'node:net'

/** Of each connection the caller of its last request that was not turned away. */
const callers = new WeakMap<Socket, string>()

/** To be called when the caller of a request is known. */
export function noteCaller(connection: Socket, caller: string): void {
  callers.set(connection, caller)
}

export function lastCallerOf(connection: Socket): string | undefined {
  return callers.get(connection)
}
