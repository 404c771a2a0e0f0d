import type { FastifyRequest } from 'fastify'

/** Makes a hook that reads a list parameter of an address as a list also when it is there once. */
export function repeatable(...names: readonly string[]) {
  return async ({ query }: FastifyRequest): Promise<void> => {
    const parameters = query as Record<string, unknown>
    for (const name of names) if (typeof parameters[name] === 'string') parameters[name] = [parameters[name]]
  }
}
