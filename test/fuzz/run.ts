import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { z } from 'zod'
import { type Schema, textsOf, valuesOf } from './arbitrary.ts'

/**
 * Sends random requests, most of them nearly right, to a running gateway, and compares each answer with /openapi.json: a documented
 * status below 500, its content type, and a body of its schema. Recorded events stay in the database.
 */
const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:3000' },
    cases: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
  },
})
const CONNECTIONS = 16
const FINDINGS_MAX = 20

interface Operation {
  parameters?: { in: 'query' | 'path' | 'header'; name: string; required?: boolean; schema: Schema }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, { content?: Record<string, { schema: object }> }>
}

interface Case {
  path: string
  method: string
  headers: Record<string, string>
  body: string | undefined
}

const document = (await (await fetch(`${values.url}/openapi.json`)).json()) as {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: object }
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

/** Headers are printable; other parameters are encoded as by a browser. */
const inHeader = (text: string) => text.replaceAll(/[^ -~]/g, '?').trim()

function casesOf({ path, method, operation }: (typeof operations)[number]): fc.Arbitrary<Case> {
  const { parameters = [], requestBody } = operation
  const given = fc.record(Object.fromEntries(parameters.map(({ name, schema }) => [name, textsOf(schema)])), {
    requiredKeys: parameters.filter((one) => one.in === 'path').map((one) => one.name),
  }) as fc.Arbitrary<Record<string, string | undefined>>
  const [contentType, content] = Object.entries(requestBody?.content ?? {})[0] ?? []
  const body = content === undefined ? fc.constant(undefined) : valuesOf(content.schema).map((value) => JSON.stringify(value))
  return fc.record({ given, body }).map(({ given: texts, body: text }) => {
    const of = (place: string) =>
      parameters.flatMap((one) => (one.in === place && texts[one.name] !== undefined ? [one.name] : []))
    const query = new URLSearchParams(of('query').map((name): [string, string] => [name, texts[name]!])).toString()
    const filled = of('path').reduce(
      (sum, name) => sum.replace(`{${name}}`, encodeURIComponent(texts[name]!.toWellFormed())),
      path,
    )
    const headers = Object.fromEntries(of('header').map((name) => [name, inHeader(texts[name]!)]))
    if (text !== undefined && contentType !== undefined) headers['content-type'] = contentType
    return { path: query === '' ? filled : `${filled}?${query}`, method: method.toUpperCase(), headers, body: text }
  })
}

const schemas = new Map<object, z.ZodType>()
function isOfSchema(schema: object, body: unknown): boolean {
  const known = schemas.get(schema) ?? z.fromJSONSchema(withDefinitions(schema))
  schemas.set(schema, known)
  return known.safeParse(body).success
}

/** Moves shared schemas from where OpenAPI has them to where JSON Schema expects them. */
function withDefinitions(schema: object): Record<string, unknown> {
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas })
  return JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')) as Record<string, unknown>
}

/** The problem of an answer; undefined when it is as documented. */
async function findingOf({ operation }: (typeof operations)[number], one: Case, counts: Record<string, number>) {
  const answer = await fetch(values.url + one.path, {
    method: one.method,
    headers: one.headers,
    ...(one.body !== undefined && { body: one.body }),
  })
  const text = await answer.text()
  counts[answer.status] = (counts[answer.status] ?? 0) + 1
  const content = Object.entries(operation.responses[answer.status]?.content ?? {})
  // An empty id, or a dot, makes another address.
  if (answer.status === 404 || answer.status === 405)
    return text.startsWith('{"error":') ? undefined : `${answer.status} without an error`
  if (content.length === 0) return `${answer.status} is not documented`
  if (answer.status >= 500) return String(answer.status)
  const [type, { schema }] = content[0]!
  if (!answer.headers.get('content-type')?.startsWith(type)) return `content type ${answer.headers.get('content-type')}`
  return isOfSchema(schema, JSON.parse(text)) ? undefined : `${answer.status} with another body than documented`
}

let findings = 0
let sent = 0
const perOperation = Math.ceil(Number(values.cases) / operations.length)
for (const [place, operation] of operations.entries()) {
  const counts: Record<string, number> = {}
  const all = fc.sample(casesOf(operation), { numRuns: perOperation, seed: Number(values.seed) + place })
  const worker = async () => {
    for (let one = all.pop(); one !== undefined && findings < FINDINGS_MAX; one = all.pop()) {
      sent++
      const finding = await findingOf(operation, one, counts)
      if (finding === undefined) continue
      findings++
      console.log(finding, JSON.stringify(one).slice(0, 2_000))
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
  console.log(`${operation.method.toUpperCase()} ${operation.path}:`, JSON.stringify(counts))
}
console.log(`${sent} cases, ${findings} findings`)
process.exitCode = findings > 0 ? 1 : 0
