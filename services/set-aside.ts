import { setAsideApi } from '../src/contract/services.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND } from './handler/handler-options.ts'
import { serviceOf } from './handler/with-options.ts'
import { recordingFunctions, withOptions } from './recording/recording-functions.ts'
import { setAsideStep } from './recording/step.ts'

/**
 * SetAside: calls that failed in a recorder for another reason than an outage. Each pauses when its first attempt fails too, and holds no
 * place then. An operator who resumes it records it, as the call that it was.
 */
export const setAside = (deps: Deps) =>
  serviceOf(
    setAsideApi,
    deps,
    { retryPolicy: { maxAttempts: 1, onMaxAttempts: 'pause' } },
    withOptions(BACKGROUND, recordingFunctions({ ...deps, step: setAsideStep })),
  )
