import { globSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

const CHECKOUT = join(import.meta.dirname, '..', '..')

/** Each room and what its code may import beside node:*, pino and zod: other rooms, and packages. */
const ROOMS: Record<string, { rooms: string[]; packages: string[] }> = {
  'src/contract': { rooms: [], packages: ['@restatedev/restate-sdk-core'] },
  'src/ranking': { rooms: ['src/contract'], packages: [] },
  'src/ledger': { rooms: ['src/contract'], packages: [] },
  'src/admission': { rooms: ['src/contract', 'src/store'], packages: [] },
  'src/ingress': { rooms: ['src/contract', 'src/gateway'], packages: ['@restatedev/restate-sdk-clients'] },
  'src/store': { rooms: ['src/contract', 'src/ranking', 'src/ledger', 'src/admission'], packages: ['kysely', 'pg'] },
  services: { rooms: ['src/contract', 'src/ranking', 'src/admission', 'src/store'], packages: ['@restatedev/restate-sdk'] },
  'src/gateway': {
    rooms: ['src/contract', 'src/ranking', 'src/admission', 'src/store', 'src/ingress'],
    packages: [
      '@opentelemetry/api',
      '@restatedev/restate-sdk-clients',
      'fastify',
      '@fastify/cors',
      '@fastify/rate-limit',
      '@fastify/swagger',
      '@fastify/swagger-ui',
      'fastify-type-provider-zod',
      'jose',
      'lru-cache',
    ],
  },
}
const ALWAYS = new Set(['pino', 'zod', ...builtinModules.map((name) => `node:${name}`)])

const IMPORT = /^\s*(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]/gm

/** Type imports count too: a room that knows another's types knows the room. */
function importsOf(file: string): string[] {
  return [...readFileSync(join(CHECKOUT, file), 'utf8').matchAll(IMPORT)].map((match) => match[1]!)
}

function problemsOf(room: string): string[] {
  const { rooms, packages } = ROOMS[room]!
  return globSync(`${room}/**/*.ts`, { cwd: CHECKOUT }).flatMap((file) =>
    importsOf(file)
      .filter((imported) => {
        if (!imported.startsWith('.')) return !ALWAYS.has(imported) && !packages.includes(imported)
        const target = relative(CHECKOUT, join(CHECKOUT, dirname(file), imported))
        return ![room, ...rooms].some((allowed) => target.startsWith(`${allowed}/`))
      })
      .map((imported) => `${file} imports ${imported}`),
  )
}

describe.each(Object.keys(ROOMS))('%s', (room) => {
  test('has files, and imports only what its row allows', () => {
    expect(globSync(`${room}/**/*.ts`, { cwd: CHECKOUT }).length).toBeGreaterThan(0)
    expect(problemsOf(room)).toEqual([])
  })
})

test('SQL is written in the store alone', () => {
  const elsewhere = globSync('{src/{contract,ranking,ledger,gateway},services}/**/*.ts', { cwd: CHECKOUT }).filter((file) =>
    /\bsql`|\bsql<|\bimport\b[^'"]*\bsql\b[^'"]*['"]kysely/.test(readFileSync(join(CHECKOUT, file), 'utf8')),
  )
  expect(elsewhere).toEqual([])
})

test('metrics and traces have one place each that knows their libraries', () => {
  const importersOf = (library: RegExp) =>
    globSync('{src,services}/**/*.ts', { cwd: CHECKOUT }).filter((file) => importsOf(file).some((name) => library.test(name)))
  for (const file of importersOf(/^prom-client/)) expect(file).toMatch(/^src\/main\/metrics\//)
  for (const file of importersOf(/opentelemetry/)) expect(file).toMatch(/^src\/(main\/tracing\/|gateway\/http\/tracing\.ts)/)
})

test('every file is in a room', () => {
  const rooms = [...Object.keys(ROOMS), 'src/main', 'src/cli']
  const strays = globSync('{src,services}/**/*.{ts,js}', { cwd: CHECKOUT }).filter(
    (file) => !rooms.some((room) => file.startsWith(`${room}/`)),
  )
  expect(strays).toEqual([])
})
