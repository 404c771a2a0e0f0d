import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { register } from '../../../src/main/release/deployments.ts'
import { startRestate } from '../../../src/main/embedded/restate.ts'
import { queryRestate } from '../../../src/main/embedded/restate-queries.ts'
import { V8_FLAGS } from '../../../src/main/embedded/v8-flags.ts'
import type { UseDatabase } from './bench-endpoint.ts'
import { freePorts } from '../../../src/main/embedded/ports.ts'
import { until } from '../../../src/main/embedded/until.ts'

const IDLE_MS_MAX = 30_000

export interface BenchEndpoint {
  pid: number
  /** Gives the endpoint another database, or none, as soon as no invocation is open; resolves when the old pools are closed. */
  use: (databaseUrl: string | null) => Promise<void>
}

export interface BenchRestate {
  ingressUrl: string
  adminUrl: string
  pid: number
  folder: string
  /** Starts and registers an endpoint process with `connectionsMax` connections to PostgreSQL. Restate keeps journals as long as `journalMinutes` says. */
  serve: (kind: 'footfall' | 'per-row' | 'nothing', connectionsMax: number, journalMinutes?: number) => Promise<BenchEndpoint>
  stop: () => Promise<void>
}

/** Starts a restate-server in a temporary folder, configured as by `npm start`, but on ports of its own, without the guard. */
export async function startBenchRestate(settings: Record<string, string> = {}): Promise<BenchRestate> {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-bench-restate-'))
  const [ingress, admin, node] = (await freePorts(3)) as [number, number, number]
  const restate = await startRestate({
    folder,
    configFile: join(import.meta.dirname, '..', '..', '..', 'restate.toml'),
    ports: { ingress, admin, node },
    log: openSync(join(folder, 'restate.log'), 'a'),
    settings,
  })
  const adminUrl = `http://127.0.0.1:${admin}`
  const endpoints: ChildProcess[] = []
  return {
    ingressUrl: `http://127.0.0.1:${ingress}`,
    adminUrl,
    pid: restate.pid!,
    folder,
    serve: async (kind, connectionsMax, journalMinutes = 0) => {
      const [port] = (await freePorts(1)) as [number]
      const args = [kind, ...[port, connectionsMax, journalMinutes].map(String)]
      const child = fork(join(import.meta.dirname, 'bench-endpoint.ts'), args, { execArgv: V8_FLAGS.endpoint })
      endpoints.push(child)
      await answerOf(child)
      await register(adminUrl, `http://127.0.0.1:${port}`, { isForced: true })
      return { pid: child.pid!, use: (url) => idle(adminUrl).then(() => useDatabase(child, url)) }
    },
    stop: async () => {
      for (const child of endpoints) await stopProcess(child, 'SIGTERM')
      await stopProcess(restate, 'SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/**
 * Resolves when no invocation is open, or after 30 s: then the check of the next run's counts fails. A batch that was counted along with
 * others leaves a message that finds nothing to do. It must not find the batch of the same number in the next database. The query must
 * answer 0 twice, because a message between two partitions of Restate is for a moment in neither.
 */
export async function idle(adminUrl: string): Promise<void> {
  const text = "select count(*) as n from sys_invocation where status <> 'completed'"
  let idleAnswers = 0
  await until(async () => {
    const [row] = await queryRestate<{ n: number }>(adminUrl, text)
    idleAnswers = row!.n === 0 ? idleAnswers + 1 : 0
    return idleAnswers === 2
  }, IDLE_MS_MAX)
}

async function useDatabase(child: ChildProcess, url: string | null): Promise<void> {
  child.send({ url } satisfies UseDatabase)
  await answerOf(child)
}

/** Resolves at the child's next message. @throws when the child exits instead. */
async function answerOf(child: ChildProcess): Promise<void> {
  const answered = new AbortController()
  const { signal } = answered
  const ended = once(child, 'exit', { signal }).then(
    () => Promise.reject(new Error('the endpoint process ended')),
    () => undefined,
  )
  await Promise.race([once(child, 'message', { signal }), ended])
  answered.abort()
}
