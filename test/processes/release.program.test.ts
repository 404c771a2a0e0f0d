import { createServer } from 'node:http2'
import { createEndpointHandler, service } from '@restatedev/restate-sdk'
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { stopProcess } from '../../src/main/embedded/process.ts'
import { register as registerAt } from '../../src/main/release/deployments.ts'
import { runCommandProcess } from '../harness/programs/command-process.ts'
import {
  checkoutWith,
  endsWhenTold,
  flowing,
  provedEvents,
  register,
  type Site,
  startGatewayOf,
  startRelease,
  startSite,
} from '../harness/programs/release.ts'
import { startSteadyLoad } from '../harness/clients/steady-load.ts'
import { freePorts } from '../../src/main/embedded/ports.ts'

let site: Site
beforeAll(async () => {
  site = await startSite(inject('postgresUrl'))
})
afterAll(() => site.stop())

test('a release under load fails no request and counts every event once', async () => {
  const before = await provedEvents(site)
  const first = await startRelease(site)
  expect(await register(first)).toMatchObject({ code: 0, output: expect.stringMatching(/ is registered\.\n$/) })
  const gateway = await startGatewayOf(first)
  const load = startSteadyLoad(gateway.url)
  await flowing(load)

  const checkout = await checkoutWith(site, 'second', 'services/analytic.ts', (text) => `${text}\n// The second release.\n`)
  const second = await startRelease(site, {}, checkout)
  expect(await register(second)).toMatchObject({ code: 0, output: expect.stringContaining('is registered.') })
  await endsWhenTold(first.endpoint)
  await flowing(load)
  const removed = await register(second, '--remove-drained')
  expect(removed.output).toContain('is registered already.')
  expect(removed.output).toContain(`${first.environment['FOOTFALL_ENDPOINT_URL']}/ (dp_`)
  expect(removed.output).toContain('was drained, and Restate has forgotten it.')

  const { accepted, failures } = await load.stop()
  expect(failures).toEqual([])
  expect(await provedEvents(site)).toBe(before + accepted)
})

test('a contract that may break callers is registered only with the option for it', async () => {
  const release = await startRelease(site)
  await register(release, '--breaking')
  const checkout = await checkoutWith(site, 'breaking', 'src/contract/popular-list.ts', (text) =>
    text.replace(/pageLimit\((\d+), .*\),/, 'z.int().min(1).max(50).default($1),'),
  )
  const breaking = await startRelease(site, {}, checkout)
  const refused = await register(breaking)
  expect(refused.code).toBe(1)
  expect(refused.output).toContain('Breaking: Popularity.Popular: the request.limit: maximum is narrower.')
  expect(refused.output).toMatch(
    /was not registered: 1 of the changes may break callers, .*; register --breaking registers it anyway/,
  )
  expect(await register(breaking, '--breaking')).toMatchObject({ code: 0 })
})

test('the address of another release is refused, whether it is newer or older', async () => {
  const release = await startRelease(site)
  await register(release, '--breaking')
  expect(await register(release)).toMatchObject({ code: 0, output: expect.stringContaining('is registered already.') })
  await stopProcess(release.endpoint.child, 'SIGTERM')
  const checkout = await checkoutWith(site, 'same-address', 'services/analytic.ts', (text) => `${text}\n// Another one.\n`)
  const { ENDPOINT_PORT, FOOTFALL_ENDPOINT_URL } = release.environment
  const other = await startRelease(
    site,
    { ENDPOINT_PORT: ENDPOINT_PORT!, FOOTFALL_ENDPOINT_URL: FOOTFALL_ENDPOINT_URL! },
    checkout,
  )
  const refused = await register(other)
  expect(refused).toMatchObject({ code: 1, output: expect.stringContaining('give each release its own address') })
  expect(refused.output.trim().split('\n')).toHaveLength(1)

  const elsewhere = await startRelease(site, {}, checkout)
  expect(await register(elsewhere)).toMatchObject({ code: 0 })
  expect(await register(other)).toMatchObject({ code: 1, output: expect.stringContaining('is the address of an older release') })
})

test('a change of JOURNAL_MINUTES is registered at the address of the same release', async () => {
  const release = await startRelease(site)
  await register(release, '--breaking')
  await stopProcess(release.endpoint.child, 'SIGTERM')
  const { ENDPOINT_PORT, FOOTFALL_ENDPOINT_URL } = release.environment
  const address = { ENDPOINT_PORT: ENDPOINT_PORT!, FOOTFALL_ENDPOINT_URL: FOOTFALL_ENDPOINT_URL! }
  const other = await startRelease(site, { ...address, JOURNAL_MINUTES: '15' })
  const changed = await register(other)
  expect(changed).toMatchObject({
    code: 0,
    output: expect.stringContaining('is registered again, because JOURNAL_MINUTES was 0 and is 15.'),
  })
  expect(await register(other)).toMatchObject({ code: 0, output: expect.stringContaining('is registered already.') })
})

test('services of other projects in the same Restate are not touched', async () => {
  const release = await startRelease(site)
  const foreign = async (port: number) => {
    const iface = service({ name: 'Foreign', handlers: { ping: async () => undefined } })
    const server = createServer(createEndpointHandler({ services: [iface], logger: () => undefined }))
    server.listen(port, site.restate.endpointHost)
    onTestFinished(() => void server.close())
    await registerAt(site.restate.adminUrl, site.restate.urlOfEndpoint(port), { isForced: true })
  }
  for (const port of await freePorts(2)) await foreign(port)
  await register(release, '--breaking')
  const { code, output } = await register(release, '--remove-drained')
  expect(code).toBe(0)
  expect(output).not.toContain('Foreign')
  const { deployments } = (await (await fetch(`${site.restate.adminUrl}/deployments`)).json()) as {
    deployments: { services: { name: string }[] }[]
  }
  expect(deployments.filter(({ services }) => services.some(({ name }) => name === 'Foreign'))).toHaveLength(2)
})

test('an address without an endpoint and an unreachable Restate are reported in one sentence', async () => {
  const release = await startRelease(site)
  const [nowhere] = (await freePorts(1)) as [number]
  const wrong = { ...release.environment, FOOTFALL_ENDPOINT_URL: site.restate.urlOfEndpoint(nowhere) }
  const away = { ...release.environment, RESTATE_ADMIN_URL: `http://127.0.0.1:${nowhere}` }
  const hurried = ['register', '--wait', '1']
  const [noEndpoint, noRestate] = await Promise.all([runCommandProcess(hurried, wrong), runCommandProcess(hurried, away)])
  expect(noEndpoint).toMatchObject({ code: 1, output: expect.stringMatching(/^Restate finds no service endpoint at .*\n$/) })
  expect(noRestate).toMatchObject({ code: 1, output: expect.stringMatching(/^Restate does not answer at .*\n$/) })
})
