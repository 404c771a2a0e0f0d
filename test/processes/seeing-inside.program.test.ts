import { randomBytes, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROLES, userOf } from '../../src/store/access/database-role.ts'
import { parse } from 'yaml'
import { type Program, startProgram } from '../harness/programs/program.ts'
import { exposedBy, problemsOf, valueOf } from '../harness/clients/prometheus.ts'
import { type ReceivedSpan, startTraceReceiver, type TraceReceiver } from '../harness/clients/trace-receiver.ts'
import { waterfall } from '../harness/clients/waterfall.ts'
import { consumerMetrics } from '../../src/main/metrics/consumer.ts'
import { poolMetrics } from '../../src/main/metrics/pools.ts'
import { createRegistry } from '../../src/main/metrics/registry.ts'
import { recordOf } from '../harness/items/records.ts'
import { until } from '../../src/main/embedded/until.ts'

const CHECKOUT = join(import.meta.dirname, '..', '..')
const ops = (name: string) => readFile(join(CHECKOUT, 'ops', name), 'utf8')
const traceId = randomBytes(16).toString('hex')
const callerSpanId = randomBytes(8).toString('hex')

let receiver: TraceReceiver
let program: Program
beforeAll(async () => {
  receiver = await startTraceReceiver()
  program = await startProgram({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, KAFKA_BROKERS: '127.0.0.1:1' })
  await send([event()])
  await send([event(), { nonsense: 1 }], { traceparent: `00-${traceId}-${callerSpanId}-01` })
  for (const path of ['/api/v1/analytic/popularity/top', '/api/v1/analytic/popularity/some%20id', '/no/such/page']) {
    await get('GATEWAY_PORT', path)
  }
  const ofForeignPage = { headers: { origin: 'https://elsewhere.example' } }
  await fetch(`${program.urlOf('GATEWAY_PORT')}/api/v1/analytic/popularity/top`, ofForeignPage)
}, 120_000)
afterAll(async () => {
  await program?.stop()
  await receiver.stop()
}, 60_000)

const event = () => ({
  event_id: randomUUID(),
  occurred_at: new Date().toISOString(),
  event_type: 'view',
  ref_type: 'Product',
  ref_id: 'p',
  account_id: 'a',
})

async function send(interactions: unknown[], headers: Record<string, string> = {}): Promise<void> {
  const answer = await fetch(`${program.urlOf('GATEWAY_PORT')}/api/v1/analytic/interaction`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ interactions }),
  })
  expect(answer.status).toBe(200)
}

/** The metrics of a consumer of Kafka that has read something. */
async function consumerText(): Promise<string> {
  const registry = createRegistry()
  poolMetrics(registry)('consuming')
  const metrics = consumerMetrics(registry, async () => [
    { topic: 't', partition: 0, next: 0n, first: 0n, end: 1n, behind: 1n, movedAt: null },
  ])
  metrics.stored([recordOf(null)], new Set(), 1)
  return registry.metrics()
}

async function get(port: Parameters<Program['urlOf']>[0], path: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(program.urlOf(port) + path)
  return { status: answer.status, text: await answer.text() }
}

test('the consumer of Kafka runs while its brokers are away, and /ready says so', async () => {
  const consumer = await get('CONSUMER_METRICS_PORT', '/ready')
  expect([consumer.status, JSON.parse(consumer.text)]).toMatchObject([
    503,
    { status: 'not_ready', kafka: false, postgresql: true },
  ])
  const gateway = await get('GATEWAY_PORT', '/ready')
  expect([gateway.status, JSON.parse(gateway.text)]).toEqual([
    200,
    { status: 'ok', details: { kafka_consumer: { status: 'not_ready', kafka: false, postgresql: true, waiting_seconds: 0 } } },
  ])
  expect((await get('CONSUMER_METRICS_PORT', '/metrics')).text).toContain('footfall_kafka_waiting_seconds 0')
  expect((await get('CONSUMER_METRICS_PORT', '/lag')).status).toBe(503)
  expect((await get('GATEWAY_PORT', '/api/v1/kafka')).status).toBe(503)
})

describe('metrics', () => {
  let gateway = ''
  let endpoint = ''
  let exposed: ReturnType<typeof exposedBy>
  beforeAll(async () => {
    gateway = (await get('GATEWAY_PORT', '/metrics')).text
    endpoint = (await get('ENDPOINT_METRICS_PORT', '/metrics')).text
    const restate = (await get('RESTATE_NODE_PORT', '/metrics')).text
    exposed = new Map([...exposedBy(gateway), ...exposedBy(endpoint), ...exposedBy(restate), ...exposedBy(await consumerText())])
    // Labels that Prometheus adds.
    exposed.set('up', new Set(['job', 'instance']))
    for (const labels of exposed.values()) if (labels.size > 0) labels.add('job').add('instance')
    for (const name of [...exposed.keys()].filter((key) => /^(process|nodejs)_/.test(key)))
      exposed.set(name, new Set([...exposed.get(name)!, 'job', 'instance']))
  })

  test('the gateway counts its requests, its flushes and its refusals', () => {
    const of = (name: string, labels = {}) => valueOf(gateway, `footfall_gateway_${name}`, labels)
    expect(of('interactions_total', { outcome: 'accepted' })).toBe(2)
    expect(of('interactions_total', { outcome: 'rejected' })).toBe(1)
    expect(of('rejections_total', { code: 'invalid' })).toBe(1)
    expect([of('flush_events_sum'), of('flush_requests_sum')]).toEqual([3, 2])
    expect(of('flush_duration_seconds_count', { outcome: 'recorded' })).toBe(2)
    expect(of('turned_away_total', { reason: 'forbidden' })).toBe(1)
    expect([of('queue_requests'), of('flushes_in_flight')]).toEqual([0, 0])
    expect(of('queue_events_max')).toBeGreaterThan(0)
  })

  test('docs/metrics.md lists the metrics of the two processes, and no other', async () => {
    const page = await readFile(join(CHECKOUT, 'docs', 'metrics.md'), 'utf8')
    const [ofGateway, ofEndpoint, ofConsumer] = page.split(/## The service endpoint|## The consumer of Kafka/).map((part) => {
      return [...part.matchAll(/^\| `(footfall_\w+)`/gm)].map(([, name]) => name!)
    })
    const families = (text: string) => [...text.matchAll(/^# TYPE (footfall_\w+)/gm)].map(([, name]) => name!).sort()
    expect(families(gateway)).toEqual(ofGateway!.sort())
    expect(families(endpoint)).toEqual(ofEndpoint!.sort())
    expect(families(await consumerText())).toEqual(ofConsumer!.sort())
  })

  test('every query of the dashboard asks for metrics and labels that the three processes expose', async () => {
    const dashboard = JSON.parse(await ops('grafana-dashboard.json')) as {
      panels: { title: string; targets?: { expr: string }[]; gridPos: { x: number; w: number } }[]
      templating: { list: { type: string }[] }
    }
    expect(dashboard.templating.list.map(({ type }) => type)).toEqual(['datasource'])
    const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    expect(queries.length).toBeGreaterThan(40)
    expect(queries.flatMap((query) => problemsOf(query, exposed))).toEqual([])
    expect(dashboard.panels.filter(({ gridPos }) => gridPos.x + gridPos.w > 24)).toEqual([])
  })

  test('every alert queries existing metrics, has a severity, and says what to do', async () => {
    const { groups } = parse(await ops('alerts.yml')) as {
      groups: { rules: { alert: string; expr: string; labels: { severity: string }; annotations: Record<string, string> }[] }[]
    }
    const rules = groups.flatMap((group) => group.rules)
    expect(new Set(rules.map((rule) => rule.alert)).size).toBe(rules.length)
    expect(rules.flatMap((rule) => problemsOf(rule.expr, exposed))).toEqual([])
    for (const { labels, annotations } of rules) {
      expect(['info', 'warning', 'critical']).toContain(labels.severity)
      expect(Object.keys(annotations)).toEqual(['summary', 'description'])
    }
  })

  test('a query of a metric or label that does not exist is found', () => {
    const wrong = 'sum by (handlr) (rate(footfall_nonsense_total{a="b"}[5m])) / max(footfall_interactions_total{code=~"x"})'
    expect(problemsOf(wrong, exposed)).toEqual([
      'there is no metric footfall_nonsense_total',
      'footfall_interactions_total has no code',
      `nothing in ${wrong} has handlr`,
    ])
  })

  test('Prometheus scrapes the default ports under the job names of the alerts', async () => {
    const { scrape_configs: jobs } = parse(await ops('prometheus.yml')) as {
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[]
    }
    expect(jobs.map((job) => [job.job_name, job.static_configs[0]!.targets])).toEqual([
      ['footfall-gateway', ['127.0.0.1:3000']],
      ['footfall-endpoint', ['127.0.0.1:9081']],
      ['restate', ['127.0.0.1:5122']],
    ])
    const asked = new Set([...(await ops('alerts.yml')).matchAll(/job="([\w-]+)"/g)].map((match) => match[1]!))
    expect([...asked].filter((name) => !jobs.some((job) => job.job_name === name))).toEqual([])
  })

  test('the docs name no metric that does not exist', async () => {
    const named = [...(await readFile(join(CHECKOUT, 'docs', 'metrics.md'), 'utf8')).matchAll(/\bfootfall_\w+/g)].map(
      ([name]) => name,
    )
    const families = new Set([...exposed.keys()].map((name) => name.replace(/_(bucket|sum|count)$/, '')))
    const users = ROLES.map(userOf)
    expect(named.filter((name) => !exposed.has(name) && !families.has(name) && !users.includes(name))).toEqual([])
  })

  test('no label has ids or more than 40 values', () => {
    const values = new Map<string, Set<string>>()
    for (const [, name, value] of `${gateway}\n${endpoint}`.matchAll(/(\w+)="([^"]*)"/g)) {
      if (name !== 'le') values.set(name!, (values.get(name!) ?? new Set()).add(value!))
    }
    for (const known of values.values()) expect(known.size).toBeLessThan(40)
    const routes = values.get('route')!
    for (const route of ['/api/v1/analytic/interaction', '/api/v1/analytic/popularity/:product_id', 'unknown']) {
      expect(routes).toContain(route)
    }
    expect([...routes].join(' ')).not.toMatch(/some|such/)
  })
})

test('one trace leads from the caller through gateway, Restate and handler to the statements', { timeout: 60_000 }, async () => {
  const own = () => receiver.spans.filter((span) => span.traceId === traceId)
  /** The spans from the caller's request to the statement that have arrived so far. */
  const pathOf = () => {
    const byId = new Map(own().map((span) => [span.spanId, span]))
    const path: ReceivedSpan[] = []
    let span = own().find(({ name }) => name.startsWith('insert interaction_batch'))
    for (; span !== undefined; span = byId.get(span.parentSpanId)) path.unshift(span)
    return path
  }
  expect(await until(async () => pathOf()[0]?.name.startsWith('POST') ?? false, 20_000)).toBe(true)

  const path = pathOf()
  expect(path.map(({ name, service }) => `${service}: ${name}`)).toEqual([
    'footfall-gateway: POST /api/v1/analytic/interaction',
    'footfall-gateway: flush',
    'Restate: ingress Analytic/CreateInteraction',
    'Restate: invocation-start Analytic/CreateInteraction',
    'Restate: invocation-attempt Analytic/CreateInteraction',
    'footfall-endpoint: attempt Analytic/CreateInteraction',
    'footfall-endpoint: run (record the batch)',
    'footfall-endpoint: insert interaction_batch, interaction, rejected_interaction, ingest_delta',
  ])
  expect(path[0]!.parentSpanId).toBe(callerSpanId)
  const statement = path.at(-1)!.attributes
  expect(statement).toMatchObject({ 'db.system.name': 'postgresql' })
  expect(statement['db.query.text']).toContain('insert into interaction_batch (occurred_from')
  expect(JSON.stringify(own())).not.toContain('"a"')

  // Counting and feeding have traces of their own, linked to the attempt that sent them.
  const attempt = own().find(({ name }) => name.startsWith('invocation-attempt'))!
  const sentOn = () => receiver.spans.filter(({ links }) => links.some(({ spanId }) => spanId === attempt.spanId))
  await until(async () => sentOn().length === 2, 20_000)
  expect(
    sentOn()
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(['invocation-start Catalog/AddInteraction', 'invocation-start Popularity/HandlePopularityEvent'])
  const counted = () => receiver.spans.filter((span) => sentOn().some((start) => start.traceId === span.traceId))
  await until(async () => counted().filter(({ name }) => name === 'commit').length === 2, 20_000)
  const picture = waterfall([...own(), ...counted()])
  expect(picture).toContain('run (count the batch)')
  if (process.env['SHOW_TRACE']) console.log(picture)
})
