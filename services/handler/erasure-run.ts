import { CancelledError, type ObjectContext, TerminalError } from '@restatedev/restate-sdk'
import { eraseNextPart } from '../../src/store/erasure/next-part.ts'
import { beginErasure, failErasure } from '../../src/store/erasure/run-machine.ts'
import type { Deps } from './deps.ts'

/**
 * Runs work in the order of their lanes. So many erasures work at once, because each reads the whole log, and as many hold a place in Restate while
 * PostgreSQL is away.
 */
const LANES = 4

/** The lane of a run, which is always the same one. Its id is random. */
export function erasureLaneOf(runId: string): string {
  return String(Number.parseInt(runId.slice(-4), 16) % LANES)
}

/** Does the parts of an erasure until it has ended. A cancelled call fails it. */
export async function eraseAll(deps: Deps, ctx: ObjectContext, runId: string, { isBegun = false } = {}): Promise<void> {
  try {
    if (!isBegun) await ctx.run('begin the erasure', async () => (await beginErasure(deps.background, runId)) !== undefined)
    while (await ctx.run('erase the next part', () => eraseNextPart(deps.background, runId, deps)));
  } catch (error) {
    // Every other error ends an attempt of this handler, and Restate retries it.
    if (!(error instanceof TerminalError)) throw error
    const message = error instanceof CancelledError ? 'its invocation was cancelled' : error.message
    await ctx.run('fail the erasure', () => failErasure(deps.background, runId, message))
  }
}
