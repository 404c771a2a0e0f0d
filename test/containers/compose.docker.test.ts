import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf } from '../harness/programs/markdown-blocks.ts'
import { startSteadyLoad } from '../harness/clients/steady-load.ts'
import { type ComposeProject, composeProject } from './compose.ts'
import { until } from '../../src/main/embedded/until.ts'

const MINUTES = 60_000
const page = blocksOf(
  'docs/containers.md',
  await readFile(join(import.meta.dirname, '..', '..', 'docs', 'containers.md'), 'utf8'),
)

let project: ComposeProject
beforeAll(async () => {
  project = await composeProject()
  await project.shell(blockWith('make-secrets.sh'))
}, 10 * MINUTES)
afterAll(() => project.remove(), 2 * MINUTES)

/** The block of the page that has a text, with other ports and another project name. */
function blockWith(text: string): string {
  const block = page.find((one) => one.language === 'sh' && one.text.includes(text))
  if (block === undefined) throw new Error(`docs/containers.md has no block with ${text}`)
  return block.text
    .replaceAll('http://127.0.0.1:3000', project.gatewayUrl)
    .replaceAll('docker compose exec ', 'docker compose exec -T ')
    .replaceAll('footfall-endpoint-1', `${project.name}-endpoint-1`)
}

const keyOf = async (name: 'api_key' | 'manage_key') => (await readFile(join(project.folder, 'secrets', name), 'utf8')).trim()

async function get<T>(path: string, name: 'api_key' | 'manage_key' = 'api_key'): Promise<T> {
  const answer = await fetch(project.gatewayUrl + path, { headers: { authorization: `Bearer ${await keyOf(name)}` } })
  expect(answer.status).toBe(200)
  return (await answer.json()) as T
}

const proof = async () =>
  (await get<{ data: { drift: unknown[]; events: number } }>('/api/v1/analytic/verify', 'manage_key')).data

test("the page's first request is recorded and counted", { timeout: 2 * MINUTES }, async () => {
  const [recorded] = (await project.shell(blockWith('/interaction'))).split('\n')
  expect(recorded).toContain('"accepted":1')
  expect(await until(async () => (await project.shell(blockWith('/interaction'))).includes('"product_id":"lamp"'), MINUTES)).toBe(
    true,
  )
  expect((await fetch(`${project.gatewayUrl}/api/v1/analytic/popularity/top`)).status).toBe(401)
})

test('the commands of the page work', { timeout: 2 * MINUTES }, async () => {
  const printed = await project.shell(blockWith('footfall top'))
  expect(printed).toContain('lamp')
  expect(printed).toContain('To be counted: ')
  expect(printed).toContain('status-counts by day')
  expect(printed).toMatch(/ffp_\w+/)
})

test('only Restate may call the endpoint', { timeout: MINUTES }, async () => {
  const call = `const session = require('node:http2').connect('http://endpoint:9080')
    const request = session.request({ ':method': 'POST', ':path': '/invoke/Analytic/CreateInteraction', 'content-type': 'application/vnd.restate.invocation.v5' })
    request.on('response', (headers) => { console.log(headers[':status']); process.exit() }).end()`
  expect(await project.shell(`docker compose exec -T gateway node -e "${call}"`)).toBe('401\n')
})

test('a schedule that register started is stopped by no caller without the operator token', { timeout: MINUTES }, async () => {
  const stop = `const body = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }
    fetch('http://restate:8080/Schedule/sweep/Stop', body).then(({ status }) => console.log(status))`
  expect(await project.shell(`docker compose exec -T gateway node -e "${stop}"`)).toBe('403\n')
  const printed = await project.shell('docker compose exec -T gateway footfall schedules --json')
  const schedules = JSON.parse(printed) as { task: string; running: boolean }[]
  expect(schedules.find(({ task }) => task === 'sweep')).toMatchObject({ running: true })
})

test('migrate leaves nothing to a superuser of PostgreSQL', { timeout: MINUTES }, async () => {
  const printed = await project.shell('docker compose logs migrate')
  expect(printed).toContain('may log in')
  expect(printed).not.toContain('superuser')
})

test("the gateway reaches Restate's ingress, and neither its admin port nor its node", { timeout: MINUTES }, async () => {
  const network = `${project.name}_admin`
  const template = `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`
  const container = (await project.shell('docker compose ps --quiet restate')).trim()
  const address = (await project.shell(`docker inspect --format '${template}' ${container}`)).trim()
  expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/)
  const reaches = async (service: string, url: string) => {
    const call = `fetch('${url}', { signal: AbortSignal.timeout(3_000) }).then(({ ok }) => console.log(ok), () => console.log(false))`
    return (await project.shell(`docker compose exec -T ${service} node -e "${call}"`)).trim()
  }
  expect(await reaches('gateway', 'http://restate:8080/restate/health')).toBe('true')
  for (const host of ['restate', 'restate-admin', address]) {
    for (const path of ['9070/health', '5122/metrics']) {
      expect([host, path, await reaches('gateway', `http://${host}:${path}`)]).toEqual([host, path, 'false'])
    }
  }
  expect(await reaches('endpoint', 'http://restate-admin:9070/health')).toBe('true')
})

interface Inspected {
  Name: string
  HostConfig: {
    ReadonlyRootfs: boolean
    CapAdd: string[] | null
    CapDrop: string[]
    SecurityOpt: string[]
    Memory: number
    PidsLimit: number
    LogConfig: { Type: string; Config: Record<string, string> }
  }
}

test(
  'no container can write to its image, gain rights, or use memory, processes or logs without bound',
  { timeout: MINUTES },
  async () => {
    const printed = await project.shell('docker inspect $(docker compose ps --all --quiet)')
    const containers = JSON.parse(printed) as Inspected[]
    expect(containers.length).toBe(7)
    for (const { Name, HostConfig } of containers) {
      expect({ Name, ...HostConfig }).toMatchObject({
        ...{ Name, ReadonlyRootfs: true, CapAdd: null, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges:true'] },
        ...{ Memory: expect.any(Number), PidsLimit: 1_024 },
        LogConfig: { Type: 'json-file', Config: { 'max-size': '32m', 'max-file': '4' } },
      })
      expect(HostConfig.Memory).toBeGreaterThan(100e6)
    }
  },
)

test('only the gateway and the UI are published, on the loopback address', { timeout: MINUTES }, async () => {
  const published = (await project.shell('docker compose ps --all --format "{{.Ports}}"')).match(/\S+->\d+/g)
  expect(published?.map((one) => one.replace(/:\d+->/, '->')).toSorted()).toEqual(['127.0.0.1->3000', '127.0.0.1->9070'])
})

test('the UI answers this machine, and no name of another one', { timeout: MINUTES }, async () => {
  const statusOf = async (headers: Record<string, string>) => {
    const [answer] = (await once(request(`${project.adminUrl}/services`, { headers }).end(), 'response')) as [IncomingMessage]
    return answer.resume().statusCode
  }
  expect(await statusOf({})).toBe(200)
  expect(await statusOf({ host: 'evil.test' })).toBe(403)
  expect(await statusOf({ origin: 'http://evil.test' })).toBe(403)
})

test('down and up keep all data', { timeout: 5 * MINUTES }, async () => {
  const before = await proof()
  await project.shell('docker compose down && docker compose up --detach --wait')
  expect(await proof()).toEqual(before)
  expect(before.events).toBeGreaterThan(0)
})

test('a release under load loses no acknowledged event, and counts none twice', { timeout: 10 * MINUTES }, async () => {
  const before = await proof()
  const load = startSteadyLoad(project.gatewayUrl, await keyOf('api_key'))
  await writeFile(join(project.folder, 'services', 'second.ts'), '// Another release.\n')
  const release = blockWith('FOOTFALL_RELEASE=2')
  const toRegister = release.split('\n').slice(0, -1).join('\n')
  expect(await project.shell(toRegister)).toContain('http://endpoint-2:9080 is registered.')
  const answered = load.answered()
  expect(await until(async () => load.answered() > answered + 50, MINUTES)).toBe(true)
  expect(await project.shell(blockWith('--remove-drained'))).toContain('Restate has forgotten it.')
  const { accepted, failures } = await load.stop()
  expect(failures).toEqual([])
  await project.shell(release.split('\n').at(-1)!)
  expect(await until(async () => (await proof()).events === before.events + accepted, MINUTES)).toBe(true)
  expect((await proof()).drift).toEqual([])
})
