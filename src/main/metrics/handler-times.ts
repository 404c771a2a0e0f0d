import { type HooksProvider, internal, TerminalError } from '@restatedev/restate-sdk'
import { Histogram, type Registry } from 'prom-client'
import { DecidedError } from '../../contract/decided-error.ts'
import { SECONDS } from './registry.ts'

/** Measures the duration and outcome of every attempt of a handler. */
export function handlerTimes(registry: Registry): HooksProvider {
  const attempts = new Histogram({
    name: 'footfall_handler_attempt_duration_seconds',
    help: 'Attempts of a handler: success, terminal (a decided error), error (tried again, or 503 of a read), or suspended.',
    labelNames: ['service', 'handler', 'outcome'],
    buckets: SECONDS,
    registers: [registry],
  })
  return ({ request: { target } }) => {
    const { service, handler } = target
    const startedAt = performance.now()
    const observe = (outcome: string) => attempts.observe({ service, handler, outcome }, (performance.now() - startedAt) / 1_000)
    return {
      interceptor: {
        handler: async (next) => {
          try {
            await next()
            observe('success')
          } catch (error) {
            observe(outcomeOf(error))
            throw error
          }
        },
      },
    }
  }
}

/** An attempt is suspended when it waits, or when its connection is lost: a later attempt continues where it stopped. */
function outcomeOf(error: unknown): 'terminal' | 'error' | 'suspended' {
  if (internal.isSuspendedError(error)) return 'suspended'
  const isDecided = error instanceof DecidedError && error.code !== 'unavailable'
  return isDecided || error instanceof TerminalError ? 'terminal' : 'error'
}
