import type { FastifyInstance, FastifyRequest } from 'fastify'
import { DecidedError } from '../../contract/decided-error.ts'
import type { ItemsWorker } from '../../workers/items-worker.ts'
import type { ItemsInBytes, ItemsJob } from '../../workers/protocol.ts'
import { callerIdOf, hangUpOf } from '../access/caller.ts'
import type { GatewayObserver } from '../http/observer.ts'
import { isProbe } from '../http/free-probes.ts'
import { createSendingCallers } from '../http/sending-callers.ts'
import { createTurns, inTurn, NoTurnError } from '../http/turns.ts'
import { HUNG_UP, NOT_RECORDED } from './call-gate.ts'
import { createLargeShares } from './large-shares.ts'
import { ownBytesOf } from './list-bytes.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Ends its place among the large requests of its caller. */
    endLarge: (() => void) | null
  }
}

/** Large bodies, whose items the thread writes. */
export interface LargeItems {
  /** The written items, when it is the request's turn. @throws DecidedError when it is no request with items, or waits too long. */
  write: (request: FastifyRequest, job: Omit<ItemsJob, 'body'>) => Promise<ItemsInBytes>
}

export interface LargeItemsDeps {
  itemsWorker: ItemsWorker
  observer: Pick<GatewayObserver, 'turnedAway'>
  /** How long a request waits for its turn. */
  waitMsMax: number
}

/** As many as waiting reads. What their bodies take has a budget. */
const CALLER_WAITING_MAX = 200
/** Next to others the thread rests for a caller as long as its body took, up to a limit, so that it leaves a processor to them. */
const PAUSE_MS_MAX = 250

/**
 * Lets large requests of a caller wait before they are judged, until those before are recorded. Judged earlier, they would fill the
 * queue of events, and be refused after the work is done. To be called when hooks know the caller of a request.
 */
export function createLargeItems(app: FastifyInstance, { itemsWorker, observer, waitMsMax }: LargeItemsDeps): LargeItems {
  const sending = createSendingCallers()
  const shares = createLargeShares(sending.hasOthers)
  const turns = createTurns({ runningMax: Infinity, waitingMax: Infinity, callerWaitingMax: CALLER_WAITING_MAX, shares })
  app.decorateRequest('endLarge', null)
  app.addHook('onRequest', (request, _reply, done) => {
    if (!isProbe(request.routeOptions.url)) sending.note(callerIdOf(request))
    done()
  })
  app.addHook('onSend', (request, _reply, _payload, done) => {
    request.endLarge?.()
    done()
  })
  return {
    write: async (request, job) => {
      const [id, signal] = [callerIdOf(request), hangUpOf(request)]
      const judge = async () => {
        const isGone = () => request.raw.socket.destroyed
        const written = await itemsWorker.write({ ...job, body: ownBytesOf(request) }, { caller: id, isGone })
        request.endLarge = shares.open(id, { events: written.count, bytes: written.json.length })
        return written
      }
      const pauseMs = (tookMs: number) => (sending.hasOthers(id) ? Math.min(PAUSE_MS_MAX, tookMs) : 0)
      try {
        return await inTurn(turns, { id, hasShare: true, signal }, judge, { waitMsMax, pauseMs })
      } catch (error) {
        if (error === signal.reason) throw new DecidedError('unavailable', HUNG_UP)
        if (!(error instanceof NoTurnError)) throw error
        observer.turnedAway('queue_full')
        throw new DecidedError('unavailable', NOT_RECORDED)
      }
    },
  }
}
