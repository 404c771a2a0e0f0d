import { backlog } from '../../src/store/log/backlog.ts'
import type { CrashStack } from './stack.ts'
import { queryRestate } from '../../src/main/embedded/restate.ts'
import { until } from '../../src/main/embedded/until.ts'

const QUIET_MS_MAX = 30_000

interface OpenInvocation {
  id: string
  target: string
  status: string
}

/**
 * Resolves when nothing is under way: no invocation is open, and every recorded batch is counted and fed. No sweeper runs
 * here, so a batch whose sending on was lost stays behind. A message between two partitions of Restate is for a moment in
 * neither, so that only patience tells late from lost. @throws when it does not come.
 */
export async function quiet(stack: CrashStack): Promise<void> {
  let last: unknown
  const isQuiet = await until(async () => {
    const [open, waiting] = await Promise.all([openInvocations(stack.adminUrl), backlog(stack.db)])
    last = { open: Array.isArray(open) ? open.slice(0, 10) : open.message, waiting }
    return Array.isArray(open) && open.length === 0 && waiting.uncountedBatches + waiting.unfedBatches === 0
  }, QUIET_MS_MAX)
  if (!isQuiet) throw new Error(`stuck: ${JSON.stringify(last)}`)
}

/** An error for a moment after Restate was killed: it asks the node that it was before. */
function openInvocations(adminUrl: string): Promise<OpenInvocation[] | Error> {
  return queryRestate<OpenInvocation>(
    adminUrl,
    "select id, target, status from sys_invocation where status <> 'completed' and target_service_name <> 'Schedule' limit 1000",
  ).catch((error: unknown) => error as Error)
}
