import { reportWindowApi } from '../src/contract/services.ts'
import { rebuildStep } from '../src/store/reports/run-step.ts'
import type { Deps } from './handler/deps.ts'
import { RUN } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'

/** ReportWindow: one object per report and window, so that one run at a time rebuilds their buckets. */
export const reportWindow = (deps: Deps) => {
  const { maxAttempts, initialInterval, maxInterval } = deps.retryPolicy
  // A step that keeps failing fails its run, because endless retries would hold up the runs behind it.
  const retries = {
    maxRetryAttempts: maxAttempts,
    initialRetryInterval: initialInterval,
    maxRetryInterval: maxInterval,
    retryIntervalFactor: 2,
  }
  return objectOf(
    reportWindowApi,
    deps,
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    {
      Rebuild: [
        RUN,
        (ctx, { run_id: runId, from, to }) =>
          ctx.run(
            'rebuild the buckets',
            async () => {
              const { done, tookMs } = await rebuildStep(deps.background, runId, { from, to })
              return { done: done ?? null, took_ms: tookMs }
            },
            retries,
          ),
      ],
    },
  )
}
