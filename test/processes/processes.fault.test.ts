import { once } from 'node:events'
import { connect } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { runCommandProcess } from '../harness/programs/command-process.ts'
import {
  endsWhenTold,
  flowing,
  PATIENCE_MS,
  provedEvents,
  register,
  type Site,
  startGatewayOf,
  startRelease,
  startSite,
} from '../harness/programs/release.ts'
import { startSteadyLoad } from '../harness/clients/steady-load.ts'
import { freePorts } from '../../src/main/embedded/ports.ts'
import { until } from '../../src/main/embedded/until.ts'

let site: Site
beforeAll(async () => {
  site = await startSite(inject('postgresUrl'))
})
afterAll(() => site.stop())

test('after SIGTERM under load every answer is 200, and the log has exactly those events', async () => {
  const before = await provedEvents(site)
  const release = await startRelease(site)
  await register(release, '--breaking')
  const gateway = await startGatewayOf(release)
  const load = startSteadyLoad(gateway.url)
  await flowing(load)
  // The endpoint first: it completes its attempts, and Restate repeats calls until the next one is up.
  await endsWhenTold(release.endpoint)
  await startRelease(site, release.environment)
  await flowing(load)
  await endsWhenTold(gateway.part)
  const { accepted, failures } = await load.stop()
  // Requests may fail to connect or meet an idle connection that was just closed, but every answer is good.
  expect(failures.filter((failure) => /^Error: \d/.test(failure))).toEqual([])
  expect(await provedEvents(site)).toBe(before + accepted)
})

test('processes that share a port are restarted when killed, and drain without a failed request', async () => {
  const before = await provedEvents(site)
  const release = await startRelease(site, { ENDPOINT_PROCESSES: '2', LOG_LEVEL: 'info' })
  await register(release, '--breaking')
  const gateway = await startGatewayOf(release)
  const load = startSteadyLoad(gateway.url)
  await flowing(load)
  const pids = pidsIn(release.endpoint.output())
  expect(pids).toHaveLength(2)
  process.kill(pids[0]!, 'SIGKILL')
  expect(await until(async () => pidsIn(release.endpoint.output()).length === 3, PATIENCE_MS)).toBe(true)
  await flowing(load)
  const metricsUrl = `http://127.0.0.1:${release.environment['ENDPOINT_METRICS_PORT']}/metrics`
  const names = (await (await fetch(metricsUrl)).text()).match(/^[a-z_]+(?=[ {])/gm)!
  expect(names).toContain('footfall_interactions_total')
  expect(names.filter((name) => name === 'process_cpu_seconds_total')).toHaveLength(1)
  expect(names).toContain('footfall_backlog_batches')

  await endsWhenTold(release.endpoint)
  await startRelease(site, release.environment)
  await flowing(load)
  const { accepted, failures } = await load.stop()
  expect(failures).toEqual([])
  expect(await provedEvents(site)).toBe(before + accepted)
})

test('an endpoint with the key of Restate refuses other callers', async () => {
  const release = await startRelease(site)
  expect(await register(release, '--breaking')).toMatchObject({ code: 0 })
  const session = connect(`http://127.0.0.1:${release.environment['ENDPOINT_PORT']}`)
  onTestFinished(() => session.destroy())
  const request = session.request({
    ...{ ':method': 'POST', ':path': '/invoke/Analytic/CreateInteraction' },
    'content-type': 'application/vnd.restate.invocation.v5',
  })
  const [headers] = (await once(request.end(), 'response')) as [Record<string, unknown>]
  expect(headers[':status']).toBe(401)
  // A browser speaks HTTP/1.1 to such an address, and gets no answer.
  const socket = connectTcp(Number(release.environment['ENDPOINT_PORT']), '127.0.0.1')
  socket.write('GET /discover HTTP/1.1\r\nHost: localhost\r\n\r\n')
  expect(await text(socket)).not.toContain('HTTP')
})

test('an endpoint or a gateway that cannot start exits with one line that says why', { timeout: 120_000 }, async () => {
  const { environment, endpoint } = await startRelease(site)
  const wrongPassword = new URL(site.database.url)
  wrongPassword.password = 'wrong'
  const away = new URL(site.database.url)
  away.port = String((await freePorts(1))[0])
  const cases: [changes: Record<string, string>, sentence: RegExp][] = [
    [{ DATABASE_URL: wrongPassword.href }, /^PostgreSQL refuses the user, the password or the database/],
    [{ DATABASE_URL: away.href }, /^PostgreSQL does not answer at DATABASE_URL/],
    [{ DATABASE_PASSWORD_FILE: join(site.folder, 'none') }, /^DATABASE_PASSWORD_FILE is .*, which cannot be read/],
    [{ RESTATE_IDENTITY_KEY_FILE: join(site.folder, 'none') }, /^RESTATE_IDENTITY_KEY_FILE is .*, which cannot be read/],
    [{ ENDPOINT_PORT: environment['ENDPOINT_PORT']! }, /^In use already: port/],
  ]
  await sql`insert into migration (name, sha256, works_since) values ('9999_newer.sql', '', '9999')`.execute(site.database.db)
  const newer = await runCommandProcess(['endpoint'], environment)
  const gateway = await runCommandProcess(['gateway'], environment)
  const migrate = await runCommandProcess(['migrate'], environment)
  await sql`delete from migration where name = '9999_newer.sql'`.execute(site.database.db)
  for (const { code, output } of [newer, gateway, migrate]) {
    expect({ code, output }).toEqual({
      code: 1,
      output: expect.stringMatching(/^The database is of a newer Footfall \(9999_newer.sql\).*\n$/),
    })
  }
  const [free] = (await freePorts(1)) as [number]
  for (const [place, [changes, sentence]] of cases.entries()) {
    // As a single process, and as one of several.
    const count = String(1 + (place % 2))
    const ports = { ENDPOINT_PORT: String(free), ENDPOINT_METRICS_PORT: String(free + 1), ENDPOINT_PROCESSES: count }
    const { code, output } = await runCommandProcess(['endpoint'], { ...environment, ...ports, LOG_LEVEL: 'silent', ...changes })
    expect({ changes, count, code, output }).toMatchObject({ code: 1, output: expect.stringMatching(sentence) })
    if (!('ENDPOINT_PORT' in changes)) expect(output.trim().split('\n')).toHaveLength(1)
  }
  expect((await runCommandProcess(['gateway'], { ...environment, DATABASE_URL: wrongPassword.href })).output).toMatch(
    cases[0]![1],
  )
  expect(endpoint.child.exitCode).toBe(null)
})

test(
  'a gateway alone that others can reach starts only if there is a key, or serves no request',
  { timeout: 120_000 },
  async () => {
    const { environment } = await startRelease(site)
    const open = { ...environment, GATEWAY_HOST: '0.0.0.0' }
    const { code, output } = await runCommandProcess(['gateway'], open)
    expect({ code, output }).toEqual({
      code: 1,
      output: expect.stringMatching(/^Others can reach GATEWAY_HOST \(0\.0\.0\.0\), and there is no key yet.*\n$/),
    })

    // It waits for a database that does not answer, because each request needs a key in any case.
    const away = new URL(site.database.url)
    away.port = String((await freePorts(1))[0])
    const waiting = await startGatewayOf({ environment: { ...open, DATABASE_URL: away.href } })
    const statuses = await Promise.all(
      ['top', 'lamp'].map(async (path) => (await fetch(`${waiting.url}/api/v1/analytic/popularity/${path}`)).status),
    )
    expect(statuses).toEqual([503, 503])
    await endsWhenTold(waiting.part)
  },
)

function pidsIn(output: string): number[] {
  return [...output.matchAll(/^.*"pid":(\d+).*endpoint listens.*$/gm)].map(([, pid]) => Number(pid))
}
