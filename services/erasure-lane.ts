import { erasureLaneApi } from '../src/contract/services.ts'
import type { Deps } from './handler/deps.ts'
import { eraseAll } from './handler/erasure-run.ts'
import { SINGLE_RUN } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'

/** ErasureLane: erases persons one after the other, so that of many erasures all but the first of each lane wait in Restate and hold no place. */
export const erasureLane = (deps: Deps) =>
  objectOf(
    erasureLaneApi,
    deps,
    // A run that keeps failing is killed, because it would hold up its lane. The task watch-runs sends it again, behind the others.
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    { Execute: [SINGLE_RUN, (ctx, { run_id: runId }) => eraseAll(deps, ctx, runId)] },
  )
