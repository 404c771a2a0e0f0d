import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts, stopProcess } from '../../src/main/embedded/process.ts'
import { register, startRestate } from '../../src/main/embedded/restate.ts'
import type { Use } from './endpoint.ts'

export interface BenchEndpoint {
  pid: number
  /** Gives the endpoint another database, or none; resolves when it has let go of the last one. */
  use: (databaseUrl: string | null) => Promise<void>
}

export interface BenchRestate {
  ingressUrl: string
  adminUrl: string
  pid: number
  /** Starts a service endpoint process with so many connections to PostgreSQL and registers it. */
  serve: (kind: 'footfall' | 'literal', connectionsMax: number) => Promise<BenchEndpoint>
  stop: () => Promise<void>
}

/** A restate-server of the bench's own in a temporary folder, configured as `npm start` does. */
export async function startBenchRestate(): Promise<BenchRestate> {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-bench-restate-'))
  const [ingress, admin, node] = (await freePorts(3)) as [number, number, number]
  const restate = await startRestate({
    folder,
    configFile: join(import.meta.dirname, '..', '..', 'restate.toml'),
    ports: { ingress, admin, node },
    log: openSync(join(folder, 'restate.log'), 'a'),
  })
  const endpoints: ChildProcess[] = []
  return {
    ingressUrl: `http://127.0.0.1:${ingress}`,
    adminUrl: `http://127.0.0.1:${admin}`,
    pid: restate.pid!,
    serve: async (kind, connectionsMax) => {
      const [port] = (await freePorts(1)) as [number]
      const child = fork(join(import.meta.dirname, 'endpoint.ts'), [kind, String(port), String(connectionsMax)])
      endpoints.push(child)
      await answerOf(child)
      await register(`http://127.0.0.1:${admin}`, `http://127.0.0.1:${port}`)
      return { pid: child.pid!, use: (url) => useDatabase(child, url) }
    },
    stop: async () => {
      for (const child of endpoints) await stopProcess(child, 'SIGTERM')
      await stopProcess(restate, 'SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function useDatabase(child: ChildProcess, url: string | null): Promise<void> {
  child.send({ url } satisfies Use)
  await answerOf(child)
}

/** The child's next message; an error when it ends instead. */
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
