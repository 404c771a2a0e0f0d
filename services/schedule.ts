import { type ObjectContext, rpc } from '@restatedev/restate-sdk'
import { notFound } from '../src/contract/decided-error.ts'
import type { Slot } from '../src/contract/schedule.ts'
import { scheduleApi, taskApi } from '../src/contract/services.ts'
import { instantOf } from '../src/contract/fields/time.ts'
import type { Deps } from './handler/deps.ts'
import { PRIVATE_READ, READ, RECORD, TICK } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'
import { slotAfter } from './handler/slot.ts'

interface State {
  everyMs: number
  nextAt: number
  /** The slot of the latest tick. Runs that wait for an earlier slot are dropped. */
  latest: number | null
}

/**
 * Schedule: one object per task, which decides when it runs. Task does the work under a key of its own, so a tick, Stop and Info
 * never wait for it. A tick does no I/O, so that it cannot fail and end its schedule.
 */
export const schedule = (deps: Deps) =>
  objectOf(
    scheduleApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    {
      Start: [
        RECORD,
        async (ctx, { every_ms: everyMs }) => {
          requireTask(deps, ctx.key)
          const state = await ctx.get<State>('state')
          if (state?.everyMs === everyMs) await scheduleTick(ctx, state)
          else await scheduleTick(ctx, { everyMs, nextAt: await ctx.date.now(), latest: null })
        },
      ],

      Stop: [
        RECORD,
        async (ctx) => {
          await nextGeneration(ctx)
          ctx.clear('state')
        },
      ],

      Info: [
        READ,
        async (ctx) => {
          requireTask(deps, ctx.key)
          const state = await ctx.get<State>('state')
          const { run } = await ctx.client(taskApi, ctx.key).LastRun({})
          return {
            task: ctx.key,
            running: state !== null,
            every_ms: state?.everyMs ?? null,
            next_at: state ? instantOf(state.nextAt) : null,
            last_run: run,
          }
        },
      ],

      Tick: [TICK, (ctx, tick) => runSlot(ctx, tick)],

      Latest: [PRIVATE_READ, async (ctx) => ({ slot: (await ctx.get<State>('state'))?.latest ?? null })],
    },
  )

function requireTask(deps: Deps, name: string): void {
  if (!Object.hasOwn(deps.tasks, name)) throw notFound(`there is no task ${name}`)
}

/** Sends the next tick before the work, so that a failing task does not stop its schedule. Missed slots are skipped. */
async function runSlot(ctx: ObjectContext, { generation, slot }: Slot): Promise<void> {
  const state = await ctx.get<State>('state')
  if (state === null || generation !== (await ctx.get<number>('generation'))) return
  const now = await ctx.date.now()
  const nextAt = slotAfter(slot, state.everyMs, now)
  ctx.set('state', { ...state, nextAt, latest: slot } satisfies State)
  sendTick(ctx, { generation, slot: nextAt }, nextAt - now)
  ctx.sendClient(taskApi, ctx.key).Run({ slot }, rpc.sendOpts({ idempotencyKey: `${ctx.key} ${slot}` }))
}

/**
 * Sends a tick for the due slot, under a new generation, so that ticks that were sent before do nothing. Every start does so,
 * because a tick that an operator killed is then replaced by the next deploy.
 */
async function scheduleTick(ctx: ObjectContext, state: State): Promise<void> {
  ctx.set('state', state)
  const delayMs = state.nextAt - (await ctx.date.now())
  sendTick(ctx, { generation: await nextGeneration(ctx), slot: state.nextAt }, delayMs)
}

async function nextGeneration(ctx: ObjectContext): Promise<number> {
  const generation = ((await ctx.get<number>('generation')) ?? 0) + 1
  ctx.set('generation', generation)
  return generation
}

function sendTick(ctx: ObjectContext, tick: Slot, delayMs: number): void {
  ctx.sendClient(scheduleApi, ctx.key).Tick(tick, rpc.sendOpts({ delay: Math.max(0, delayMs) }))
}
