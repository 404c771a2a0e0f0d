import { accessApi } from '../src/contract/services.ts'
import { changeAccess } from '../src/store/access/change.ts'
import type { Deps } from './handler/deps.ts'
import { RECORD } from './handler/handler-options.ts'
import { serviceOf } from './handler/with-options.ts'
import { refusingStep } from './recording/step.ts'

/*
 * Access: keys and sessions.
 *
 * The gateway cannot write, so a change passes through here, as the gateway signed it. The endpoint can neither sign nor change what was
 * signed, because it cannot read the secret: a function of the database checks the signature and what the caller may do.
 */
export const access = (deps: Deps) => {
  const step = refusingStep(deps)
  return serviceOf(
    accessApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    { Change: [RECORD, (ctx, change) => step(ctx, 'change keys or sessions', () => changeAccess(deps.background, change))] },
  )
}
