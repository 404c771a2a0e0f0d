import { backlog } from '../../src/store/log/backlog.ts'
import type { CrashStack } from './stack.ts'
import { queryRestate } from '../../src/main/embedded/restate-queries.ts'
import { until } from '../../src/main/embedded/until.ts'

const QUIET_MS_MAX = 30_000

interface OpenInvocation {
  id: string
  target: string
  status: string
}

/**
 * Resolves when no invocation is open and every recorded batch is counted and fed. @throws after 30 s. No sweeper runs here, so a
 * batch whose fan-out was lost stays uncounted. A message between two partitions of Restate is for a moment in neither, so only
 * waiting distinguishes a late batch from a lost one.
 */
export async function waitUntilQuiet(stack: CrashStack): Promise<void> {
  let last: unknown
  const isQuiet = await until(async () => {
    const [open, waiting] = await Promise.all([openInvocations(stack.adminUrl), backlog(stack.db)])
    last = { open: Array.isArray(open) ? open.slice(0, 10) : open.message, waiting }
    return Array.isArray(open) && open.length === 0 && waiting.uncountedBatches + waiting.unfedBatches === 0
  }, QUIET_MS_MAX)
  if (!isQuiet) throw new Error(`stuck: ${JSON.stringify(last)}`)
}

/** Answers an error for a moment after Restate was killed, because the query goes to the node of the dead process. */
function openInvocations(adminUrl: string): Promise<OpenInvocation[] | Error> {
  return queryRestate<OpenInvocation>(
    adminUrl,
    "select id, target, status from sys_invocation where status <> 'completed' and target_service_name <> 'Schedule' limit 1000",
  ).catch((error: unknown) => error as Error)
}
