import { implement, type ObjectContext, rpc, TerminalError } from '@restatedev/restate-sdk'
import { analyticApi, popularityApi, scheduleApi, type Slot } from '../src/contract/services.ts'
import { instantOf } from '../src/contract/time.ts'
import type { Deps } from './deps.ts'
import { BACKGROUND, READ, RECORD } from './handler-options.ts'

/** Each task by the name of its schedule: how often it runs, and what a slot sends. */
export const TASKS = {
  sweep: {
    everyMs: 60_000,
    send: (ctx, once) => ctx.sendClient(analyticApi).Sweep({}, rpc.sendOpts({ idempotencyKey: once })),
  },
  'make-partitions': {
    everyMs: 3_600_000,
    send: (ctx, once) => ctx.sendClient(analyticApi).MakePartitions({}, rpc.sendOpts({ idempotencyKey: once })),
  },
  'refresh-popularity': {
    everyMs: 1_800_000,
    send: (ctx, once) => ctx.sendClient(popularityApi).Refresh({}, rpc.sendOpts({ idempotencyKey: once })),
  },
} satisfies Record<string, { everyMs: number; send: (ctx: ObjectContext, once: string) => unknown }>

interface State {
  everyMs: number
  nextAt: number
}

/** Schedule: one object per task. A tick does no I/O, so that it cannot fail and end its schedule. */
export const schedule = (deps: Deps) =>
  implement(scheduleApi, {
    handlers: {
      Start: async (ctx, { every_ms: everyMs }) => {
        if (!Object.hasOwn(TASKS, ctx.key)) throw new TerminalError(`there is no task ${ctx.key}`, { errorCode: 404 })
        const state = await ctx.get<State>('state')
        const now = await ctx.date.now()
        // One whose next tick is long overdue has lost it, killed by hand perhaps: it is started again.
        if (state?.everyMs === everyMs && state.nextAt > now - everyMs) return
        await scheduleTick(ctx, { everyMs, nextAt: now })
      },

      Stop: async (ctx) => {
        await nextGeneration(ctx)
        ctx.clear('state')
      },

      Info: async (ctx) => {
        const state = await ctx.get<State>('state')
        return {
          running: state !== null,
          every_ms: state?.everyMs ?? null,
          next_at: state ? instantOf(state.nextAt) : null,
        }
      },

      Tick: (ctx, tick) => runSlot(ctx, tick),
    },
    options: {
      retryPolicy: deps.retryPolicy,
      handlers: { Start: RECORD, Stop: RECORD, Info: READ, Tick: BACKGROUND },
    },
  })

/** The next tick goes out before the work: a task that fails does not stop its schedule. Missed slots are skipped. */
async function runSlot(ctx: ObjectContext, { generation, slot }: Slot): Promise<void> {
  const state = await ctx.get<State>('state')
  if (state === null || generation !== (await ctx.get<number>('generation'))) return
  const late = Math.max(0, (await ctx.date.now()) - slot)
  const nextAt = slot + state.everyMs * (Math.floor(late / state.everyMs) + 1)
  ctx.set('state', { ...state, nextAt })
  sendTick(ctx, { generation, slot: nextAt }, nextAt - slot - late)
  TASKS[ctx.key as keyof typeof TASKS].send(ctx, `${ctx.key} ${generation} ${slot}`)
}

/** A new generation fences off the ticks that are still on their way. */
async function scheduleTick(ctx: ObjectContext, state: State): Promise<void> {
  ctx.set('state', state)
  sendTick(ctx, { generation: await nextGeneration(ctx), slot: state.nextAt }, 0)
}

async function nextGeneration(ctx: ObjectContext): Promise<number> {
  const generation = ((await ctx.get<number>('generation')) ?? 0) + 1
  ctx.set('generation', generation)
  return generation
}

function sendTick(ctx: ObjectContext, tick: Slot, delayMs: number): void {
  ctx.sendClient(scheduleApi, ctx.key).Tick(tick, rpc.sendOpts({ delay: delayMs }))
}
