import { recorderApi } from '../src/contract/services.ts'
import type { Deps } from './handler/deps.ts'
import { RECORD } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'
import { settingAside } from './recording/leave-place.ts'
import { recordingFunctions, withOptions } from './recording/recording-functions.ts'
import { recorderStep } from './recording/step.ts'

/** Short, so that what waits is recorded within a minute of an outage; there are only a few recorders. */
const INTERVAL_MS_MAX = 5_000
/** At 5 s each, two months: a paused call would hold its recorder until an operator resumes it. */
const ATTEMPTS_MAX = 1_000_000

/**
 * Recorder: objects that record what may wait for PostgreSQL, one call after the other. Calls in the inbox of an object hold none of
 * the places in Restate, so an outage stops nothing else.
 */
export const recorder = (deps: Deps) =>
  objectOf(
    recorderApi,
    deps,
    {
      retryPolicy: {
        ...deps.retryPolicy,
        maxInterval: Math.min(INTERVAL_MS_MAX, deps.retryPolicy.maxInterval),
        maxAttempts: ATTEMPTS_MAX,
      },
    },
    withOptions(RECORD, settingAside(deps, recordingFunctions({ ...deps, step: recorderStep(deps) }))),
  )
