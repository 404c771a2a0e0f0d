import type { ObjectContext } from '@restatedev/restate-sdk'
import { HOUR_MS } from '../src/contract/fields/time.ts'
import { recorderRoomApi } from '../src/contract/services.ts'
import type { Deps } from './handler/deps.ts'
import { RECORD } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'

/** After so long without a renewal, a gateway is taken for dead and its calls for recorded. */
const KEPT_MS = HOUR_MS

/** By gateway. */
type Reservations = Record<string, { bytes: number; untilMs: number }>

/**
 * RecorderRoom: bounds what all gateways together have waiting in a recorder. It touches neither PostgreSQL nor another object, so it
 * answers in an outage.
 */
export const recorderRoom = (deps: Deps) =>
  objectOf(
    recorderRoomApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    {
      Reserve: [
        { ...RECORD, idempotencyRetention: 0 },
        async (ctx, { gateway, bytes, bytes_max: bytesMax }) => {
          const { [gateway]: own, ...others } = await validReservations(ctx)
          const before = own?.bytes ?? 0
          const sum = Object.values(others).reduce((total, other) => total + other.bytes, bytes)
          // Less than before is always granted.
          const granted = bytes <= before || sum <= bytesMax
          const kept = granted ? bytes : before
          const untilMs = (await ctx.date.now()) + KEPT_MS
          const all = kept === 0 ? others : { ...others, [gateway]: { bytes: kept, untilMs } }
          ctx.set('reservations', all satisfies Reservations)
          return { granted }
        },
      ],
    },
  )

async function validReservations(ctx: ObjectContext): Promise<Reservations> {
  const nowMs = await ctx.date.now()
  const all = (await ctx.get<Reservations>('reservations')) ?? {}
  return Object.fromEntries(Object.entries(all).filter(([, { untilMs }]) => untilMs > nowMs))
}
