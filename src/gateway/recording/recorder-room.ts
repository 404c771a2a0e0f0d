import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { DecidedError } from '../../contract/decided-error.ts'
import { recorderRoomApi } from '../../contract/services.ts'
import type { Ingress } from '../../ingress/clients.ts'
import { hasEnded } from '../../ingress/refusal.ts'
import { createReservation, type Reservation } from './reservation.ts'

/** A call counts as at least so much, because a small one costs nearly as much to record. */
const CALL_BYTES_MIN = 16 * 1024
const ATTACH_MS_MAX = 60_000
const ATTACH_AGAIN_MS = 1_000

/** What direct calls have waiting is bounded as for a recorder, because they leave their places in an outage. */
export const DIRECT = 'direct'

export const NO_ROOM = 'too many events wait to be recorded already; nothing of this request was recorded, send it again'

/** Bounds what all gateways together have waiting in the recorders, before Restate has it. */
export interface RecorderRoom {
  /** Takes room for a call. @throws DecidedError `unavailable` when the inbox of the recorder is full */
  take: (recorder: string, bytes: number) => Promise<RecorderPlace>
  /** Whether a call was refused in the last second. */
  isFull: (recorder: string) => boolean
  /** What this process has waiting, by recorder. */
  lengths: () => { recorder: string; calls: number; bytes: number }[]
  stop: () => void
}

export interface RecorderPlace {
  /** Restate has the call. Resolves when it is recorded, which gives its room back. */
  sent: (invocationId: string) => Promise<void>
  /** Restate does not have the call, or it has ended. */
  giveBack: () => void
}

export interface RecorderRoomOptions {
  ingress: Pick<Ingress, 'call' | 'waitForEnd'>
  /** For each recorder, over all gateways. */
  bytesMax: number
}

export function createRecorderRoom({ ingress, bytesMax }: RecorderRoomOptions): RecorderRoom {
  const gateway = randomUUID()
  const stopping = new AbortController()
  const inboxes = new Map<string, ReturnType<typeof createInbox>>()
  const inboxOf = (recorder: string) => {
    const known = inboxes.get(recorder)
    if (known !== undefined) return known
    const reservation = createReservation(bytesMax, async (bytes) => {
      const request = { gateway, bytes, bytes_max: bytesMax }
      return (await ingress.call(recorderRoomApi, 'Reserve', request, { key: recorder })).granted
    })
    const inbox = createInbox({ ingress, reservation, followedMax: recorder === DIRECT ? 1 : 0, stopped: stopping.signal })
    inboxes.set(recorder, inbox)
    return inbox
  }
  return {
    take: (recorder, bytes) => inboxOf(recorder).take(bytes),
    isFull: (recorder) => inboxes.get(recorder)?.isFull() ?? false,
    lengths: () => Array.from(inboxes, ([recorder, inbox]) => ({ recorder, ...inbox.length() })),
    stop: () => stopping.abort(),
  }
}

interface InboxOptions {
  ingress: Pick<Ingress, 'waitForEnd'>
  reservation: Reservation
  /**
   * Invocations that a call may go on in before it counts as recorded: a direct one may go on in a recorder. A call that a recorder has set
   * aside has ended, because an operator may resume it in a week, and it holds up nothing.
   */
  followedMax: number
  stopped: AbortSignal
}

interface OpenCall {
  invocationId: string
  onEnded: () => void
}

/**
 * What this process has waiting in one recorder. A recorder works in order, so only the oldest call is waited for; when that takes a
 * minute, the next one, because direct calls end in any order.
 */
function createInbox({ ingress, reservation, followedMax, stopped }: InboxOptions) {
  const open: OpenCall[] = []
  let used = 0
  let calls = 0
  let isFollowing = false

  const giveBack = (bytes: number) => {
    used -= bytes
    calls--
    reservation.keep(used)
  }

  const follow = async () => {
    if (isFollowing) return
    isFollowing = true
    while (open[0] !== undefined && !stopped.aborted) {
      const { invocationId, onEnded } = open[0]
      const signal = AbortSignal.any([stopped, AbortSignal.timeout(ATTACH_MS_MAX)])
      const isEnded = await ingress.waitForEnd(invocationId, signal, followedMax).then(() => true, hasEnded)
      const [oldest] = open.splice(0, 1)
      if (isEnded) onEnded()
      else {
        open.push(oldest!)
        reservation.keep(used)
        await sleep(ATTACH_AGAIN_MS, undefined, { signal: stopped }).catch(() => undefined)
      }
    }
    isFollowing = false
  }

  const placeOf = (bytes: number): RecorderPlace => ({
    giveBack: () => giveBack(bytes),
    sent: (invocationId) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const onEnded = () => {
        giveBack(bytes)
        resolve()
      }
      open.push({ invocationId, onEnded })
      void follow()
      return promise
    },
  })

  return {
    isFull: reservation.isRefused,
    length: () => ({ calls, bytes: used }),
    take: async (length: number): Promise<RecorderPlace> => {
      const bytes = Math.max(CALL_BYTES_MIN, length)
      while (used + bytes > reservation.bytes()) {
        const before = reservation.bytes()
        await reservation.grow(used + bytes)
        if (reservation.bytes() <= before) throw new DecidedError('unavailable', NO_ROOM)
      }
      used += bytes
      calls++
      return placeOf(bytes)
    },
  }
}
