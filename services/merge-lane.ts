import { mergeLaneApi } from '../src/contract/services.ts'
import { mergeSession } from '../src/store/shoppers/shopper-merge.ts'
import type { Deps } from './handler/deps.ts'
import { LANE } from './handler/handler-options.ts'
import { finalIfDataError } from './handler/step.ts'
import { objectOf } from './handler/with-options.ts'

/** MergeLane: stores merges one after the other, so that an outage of PostgreSQL leaves all but one of a lane waiting in Restate. */
export const mergeLane = (deps: Deps) =>
  objectOf(
    mergeLaneApi,
    deps,
    {},
    {
      Merge: [
        LANE,
        (ctx, request) =>
          ctx.run('merge the session', () => mergeSession(deps.db, request, deps.tombstones).catch(finalIfDataError)),
      ],
    },
  )
