import { CancelledError, type ObjectContext, type ObjectSharedContext, TerminalError } from '@restatedev/restate-sdk'
import { notFound } from '../../src/contract/decided-error.ts'
import type { Database, Queryable } from '../../src/store/database/connection.ts'
import type { Deps } from '../handler/deps.ts'
import { BACKGROUND, READ, RECORD } from '../handler/handler-options.ts'
import { idOfRun } from '../handler/run-id.ts'
import { refusingStep } from './step.ts'

/** What the handlers of a kind of run do. */
interface RunCommands<Start, Run> {
  /** In messages: there is no similarity run. */
  noun: string
  request: (db: Database, id: string, request: Start) => Promise<Run>
  find: (db: Queryable, id: string) => Promise<Run | undefined>
  cancel: (db: Database, id: string, by: { actor: string; requestedBy: string | undefined }) => Promise<Run | undefined>
  abandon: (db: Database, id: string) => Promise<void>
  /** Sends Execute to the key of the call. */
  sendExecute: (ctx: ObjectContext) => void
}

/** Every handler of a run but Execute, which does its work. */
export function runHandlers<Start, Run>(deps: Deps, commands: RunCommands<Start, Run>) {
  const { noun, request, find, cancel, abandon, sendExecute } = commands
  const step = refusingStep(deps)
  const existing = (run: Run | undefined, id: string): Run => {
    if (run === undefined) throw notFound(`there is no ${noun} ${id}`)
    return run
  }
  return {
    Start: [
      RECORD,
      async (ctx: ObjectContext, input: Start): Promise<Run> => {
        const id = idOfRun(ctx)
        const run = await step(ctx, 'request the run', () => request(deps.background, id, input))
        sendExecute(ctx)
        return run
      },
    ],

    Abandon: [
      BACKGROUND,
      async (ctx: ObjectContext): Promise<void> => {
        await ctx.run('abandon the run', () => abandon(deps.background, ctx.key))
      },
    ],

    Status: [READ, async (ctx: ObjectSharedContext): Promise<Run> => existing(await find(deps.db, idOfRun(ctx)), ctx.key)],

    Cancel: [
      RECORD,
      (ctx: ObjectSharedContext, by: { actor: string; requested_by?: string | undefined }): Promise<Run> => {
        const id = idOfRun(ctx)
        return step(ctx, 'cancel the run', async () =>
          existing(await cancel(deps.background, id, { actor: by.actor, requestedBy: by.requested_by }), id),
        )
      },
    ],
  } as const
}

/** Does the work of a run. Its terminal end fails the run; every other error ends an attempt of the handler, and Restate retries it. */
export async function failingRun(ctx: ObjectContext, fail: (message: string) => Promise<void>, work: () => Promise<void>) {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error
    const message = error instanceof CancelledError ? 'its invocation was cancelled' : error.message
    await ctx.run('fail the run', () => fail(message))
  }
}
