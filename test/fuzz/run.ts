import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { type Case, casesOf, type Operation, type Route } from './cases.ts'
import { createFindings } from './findings.ts'

/**
 * Sends random requests, most of them nearly right, to a running gateway, and compares each answer with /openapi.json: a documented
 * status below 500, its content type, and a body of its schema. It also compares the memory of the gateway at the end with that after
 * the first 50,000 cases. Recorded events stay in the database.
 */
const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:3000' },
    cases: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    /** The file with the secret that signs payment callbacks: .footfall/payment-secret after npm start. */
    'payment-secret-file': { type: 'string' },
  },
})
const CONNECTIONS = 16
const FINDINGS_MAX = 20
/** Cases of each route in one part. Parts keep the memory of this program small, and mix the routes. */
const PART_CASES = 100
const WARM_CASES = 50_000
const MEMORY_GROWTH_MAX = 1.2

interface OpenApiDocument {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: object }
}

async function main(): Promise<void> {
  const document = (await (await fetch(`${values.url}/openapi.json`)).json()) as OpenApiDocument
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Route => ({ path, method, operation })),
  )
  const secretFile = values['payment-secret-file']
  const secret = secretFile === undefined ? undefined : (await readFile(secretFile, 'utf8')).trim()
  const findingOf = createFindings(document.components.schemas)
  const arbitraries = routes.map((route) => casesOf(route, secret))
  const counts = routes.map((): Record<string, number> => ({}))
  let sent = 0
  let findings = 0
  let warmMegabytes: number | undefined

  const send = async (place: number, one: Case) => {
    sent++
    const response = await fetch(values.url + one.path, {
      method: one.method,
      headers: one.headers,
      ...(one.body !== undefined && { body: one.body }),
    })
    const { status } = response
    const answer = { status, contentType: response.headers.get('content-type'), text: await response.text() }
    counts[place]![status] = (counts[place]![status] ?? 0) + 1
    const finding = findingOf(routes[place]!, answer)
    if (finding === undefined) return
    findings++
    console.log(finding, JSON.stringify(one).slice(0, 2_000), answer.text.slice(0, 500))
  }

  for (let part = 0; sent < Number(values.cases) && findings < FINDINGS_MAX; part++) {
    const all = arbitraries.flatMap((cases, place) =>
      fc
        .sample(cases, { numRuns: PART_CASES, seed: Number(values.seed) + part * routes.length + place })
        .map((one) => [place, one] as const),
    )
    const worker = async () => {
      for (let next = all.pop(); next !== undefined && findings < FINDINGS_MAX; next = all.pop()) await send(...next)
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, worker))
    if (sent >= WARM_CASES) warmMegabytes ??= await gatewayMegabytes()
  }

  for (const [place, { method, path }] of routes.entries()) {
    console.log(`${method.toUpperCase()} ${path}:`, JSON.stringify(counts[place]))
  }
  const endMegabytes = await gatewayMegabytes()
  const isGrown = warmMegabytes !== undefined && endMegabytes > MEMORY_GROWTH_MAX * warmMegabytes
  const warm = warmMegabytes === undefined ? '' : `, after the first ${WARM_CASES} ${warmMegabytes} MB`
  console.log(`${sent} cases, ${findings} findings; memory of the gateway ${endMegabytes} MB${warm}`)
  process.exitCode = findings > 0 || isGrown ? 1 : 0
}

async function gatewayMegabytes(): Promise<number> {
  const text = await (await fetch(`${values.url}/metrics`)).text()
  return Math.round(Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]) / 1e6)
}

await main()
