import { implement, TerminalError } from '@restatedev/restate-sdk'
import { reportWindowApi } from '../src/contract/services.ts'
import { isRefusal } from '../src/store/database/connection.ts'
import { BucketsAreFrozen, rebuildStep } from '../src/store/reports/recompute-run.ts'
import type { Deps } from './handler/deps.ts'
import { RUN } from './handler/handler-options.ts'

/** ReportWindow: one object per report and window, whose buckets are rebuilt for one run at a time. */
export const reportWindow = (deps: Deps) =>
  implement(reportWindowApi, {
    handlers: {
      Rebuild: (ctx, { run_id: runId, from, to }) => {
        const { maxAttempts, initialInterval, maxInterval } = deps.retryPolicy
        return ctx.run(
          'rebuild the buckets',
          async () => {
            const { done, tookMs } = await rebuildStep(deps.background, runId, { from, to }).catch(refused)
            deps.reached('buckets committed')
            return { done: done ?? null, took_ms: tookMs }
          },
          // The run has failed then, and nothing waits behind it for ever.
          {
            maxRetryAttempts: maxAttempts,
            initialRetryInterval: initialInterval,
            maxRetryInterval: maxInterval,
            retryIntervalFactor: 2,
          },
        )
      },
    },
    options: {
      retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' },
      handlers: { Rebuild: RUN },
    },
  })

/** A sum that no column can hold stays one, and what is frozen stays frozen. */
function refused(error: unknown): never {
  if (error instanceof BucketsAreFrozen) throw new TerminalError(error.message)
  if (isRefusal(error)) throw new TerminalError(`the buckets cannot be rebuilt: ${(error as Error).message}`)
  throw error
}
