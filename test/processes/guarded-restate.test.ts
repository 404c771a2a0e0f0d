import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openLogFile } from '../../src/main/embedded/log-file.ts'
import { freePorts, isPortFree } from '../../src/main/embedded/ports.ts'
import { stopProcess } from '../../src/main/embedded/process.ts'
import { RESTATE_SOCKETS } from '../../src/main/embedded/restate-sockets.ts'
import { startRestate } from '../../src/main/embedded/restate.ts'
import { guard } from '../../src/main/guard/guarded-server.ts'

test('a Restate that listened on ports keeps its data behind the guard, and starts again after it was killed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-guarded-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const [ingress, admin, node] = (await freePorts(3)) as [number, number, number]
  const options = {
    folder,
    configFile: join(import.meta.dirname, '..', '..', 'restate.toml'),
    ports: { ingress, admin, node },
    log: openLogFile(join(folder, 'restate.log')),
  }
  const clusters = `http://127.0.0.1:${admin}/kafka-clusters`
  const before = await startRestate(options)
  const headers = { 'content-type': 'application/json' }
  const cluster = { name: 'kept', properties: { 'bootstrap.servers': '127.0.0.1:1' } }
  expect((await fetch(clusters, { method: 'POST', headers, body: JSON.stringify(cluster) })).status).toBe(201)
  await stopProcess(before, 'SIGTERM')

  for (const [name, at] of [
    ['ingress', ingress],
    ['admin', admin],
  ] as const) {
    const server = await guard({ port: at, listener: { socketPath: join(folder, RESTATE_SOCKETS[name]) }, links: 'refused' })
    onTestFinished(async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    })
  }
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const restate = await startRestate({ ...options, isGuarded: true })
    const answer = await fetch(clusters)
    expect(JSON.stringify(await answer.json())).toContain('kept')
    const listening = await Promise.all([ingress, admin, node].map(isPortFree))
    expect(listening).toEqual([false, false, true])
    await stopProcess(restate, signal)
  }
})
