import { globSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

const CHECKOUT = join(import.meta.dirname, '..', '..')
const FILES = globSync('{src,services}/**/*.{ts,js}', { cwd: CHECKOUT }).sort()

interface Row {
  /** Other rooms, or files of them. */
  rooms: string[]
  packages: string[]
}

/** The imports that each room's code is allowed, apart from node:*, pino and zod. The table of ARCHITECTURE.md. */
const ROOMS: Record<string, Row> = {
  'src/contract': { rooms: [], packages: ['@restatedev/restate-sdk-core'] },
  'src/ranking': { rooms: ['src/contract'], packages: [] },
  'src/ledger': { rooms: ['src/contract'], packages: [] },
  'src/admission': { rooms: ['src/contract', 'src/ledger'], packages: [] },
  'src/store': { rooms: ['src/contract', 'src/ranking', 'src/ledger', 'src/admission'], packages: ['kysely', 'pg'] },
  'src/ingress': {
    rooms: ['src/contract'],
    packages: ['@opentelemetry/api', '@restatedev/restate-sdk-clients', '@restatedev/restate-sdk-core'],
  },
  'src/workers': {
    rooms: ['src/contract', 'src/ranking', 'src/ledger', 'src/admission'],
    packages: ['hyparquet', 'hyparquet-writer', 'hyparquet/src/convert.js'],
  },
  'src/external': {
    rooms: ['src/contract', 'src/ranking'],
    packages: ['lru-cache', '@redis/client', '@aws-sdk/client-s3', '@aws-sdk/client-dynamodb'],
  },
  'src/consumer': { rooms: ['src/contract', 'src/admission', 'src/store'], packages: ['@platformatic/kafka'] },
  services: {
    rooms: ['src/contract', 'src/ranking', 'src/admission', 'src/workers', 'src/store', 'src/external'],
    packages: ['@restatedev/restate-sdk'],
  },
  'src/page': { rooms: ['src/contract'], packages: ['preact', 'htm', 'preact-render-to-string'] },
  'src/gateway': {
    rooms: [
      'src/contract',
      'src/ranking',
      'src/admission',
      'src/workers',
      'src/store',
      'src/ingress',
      'src/external',
      'src/page',
    ],
    packages: [
      '@opentelemetry/api',
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
/** Processes and commands wire everything together. Nothing but the command line and tests imports them. */
const WIRING = ['src/main', 'src/cli']

/**
 * Sub-rooms from the lowest to the highest: each imports only the ones before it. Two on one line do not import each other.
 * A room without a row here has no sub-rooms.
 */
const SUB_ROOMS: Record<string, string[][]> = {
  'src/contract': [['fields']],
  'src/store': [
    ['database'],
    ['audit'],
    ['runs'],
    ['log'],
    ['access', 'catalog'],
    ['kafka', 'metrics'],
    ['popularity'],
    ['shoppers'],
    ['reports'],
    ['payments'],
    ['preferences'],
    ['sellers'],
    ['similarity'],
    ['recommendations'],
    ['alerts', 'archive'],
    ['proof'],
    ['erasure', 'reconcile'],
    ['backup'],
  ],
  services: [['handler'], ['recording'], ['archive'], ['tasks']],
  'src/page': [['template'], ['components'], ['views'], ['static']],
  'src/gateway': [['standbys'], ['http'], ['caching'], ['access'], ['recording'], ['shoppers'], ['page'], ['views'], ['routes']],
  'src/cli/import': [['parquet'], ['source'], ['repeats'], ['values'], ['mapping'], ['presets']],
}

const ALWAYS = new Set(['pino', 'zod', ...builtinModules.map((name) => `node:${name}`)])
const IMPORT = /^\s*(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]|\bimport\(['"]([^'"]+)['"]\)/gm

/** Type imports count too, because a room that knows another room's types knows the room. */
const IMPORTS = new Map(
  FILES.map((file) => {
    const text = readFileSync(join(CHECKOUT, file), 'utf8')
    const names = [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2]!)
    return [file, names.map((name) => (name.startsWith('.') ? relative(CHECKOUT, join(CHECKOUT, dirname(file), name)) : name))]
  }),
)

const isIn = (folder: string) => (file: string) => file.startsWith(`${folder}/`)
const filesIn = (folder: string) => FILES.filter(isIn(folder))
const importsOf = (file: string) => IMPORTS.get(file) ?? []
const isOurs = (imported: string) => IMPORTS.has(imported)

/** Every import of a folder's files that the rule forbids, as sentences. */
function forbidden(files: readonly string[], isAllowed: (imported: string, file: string) => boolean): string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter((imported) => !isAllowed(imported, file))
      .map((imported) => `${file} imports ${imported}`),
  )
}

describe.each(Object.entries(ROOMS))('%s', (room, { rooms, packages }) => {
  test('has files, and imports only what its row allows', () => {
    expect(filesIn(room).length).toBeGreaterThan(0)
    const isAllowed = (imported: string) =>
      isOurs(imported)
        ? [room, ...rooms].some((allowed) => isIn(allowed)(imported))
        : ALWAYS.has(imported) || packages.includes(imported)
    expect(forbidden(filesIn(room), isAllowed)).toEqual([])
  })
})

test('every file is in a room', () => {
  const rooms = [...Object.keys(ROOMS), ...WIRING]
  expect(FILES.filter((file) => !rooms.some((room) => isIn(room)(file)))).toEqual([])
})

test('only the command line imports src/main, and nothing imports the command line', () => {
  const outside = FILES.filter((file) => !WIRING.some((room) => isIn(room)(file)))
  expect(forbidden(outside, (imported) => !WIRING.some((room) => isIn(room)(imported)))).toEqual([])
  expect(forbidden(filesIn('src/main'), (imported) => !isIn('src/cli')(imported))).toEqual([])
})

describe.each(Object.entries(SUB_ROOMS))('the sub-rooms of %s', (room, levels) => {
  const levelOf = (file: string) => levels.findIndex((names) => names.some((name) => isIn(`${room}/${name}`)(file)))

  test('import only downward', () => {
    const files = filesIn(room).filter((file) => levelOf(file) >= 0)
    const subRoomOf = (file: string) => file.slice(room.length + 1).split('/')[0]
    const isAllowed = (imported: string, file: string) =>
      !isIn(room)(imported) ||
      subRoomOf(imported) === subRoomOf(file) ||
      (levelOf(imported) >= 0 && levelOf(imported) < levelOf(file))
    expect(forbidden(files, isAllowed)).toEqual([])
  })

  test('are all in the list', () => {
    const folders = new Set(
      filesIn(room).flatMap((file) =>
        file
          .slice(room.length + 1)
          .split('/')
          .slice(0, -1),
      ),
    )
    expect([...folders].sort()).toEqual(levels.flat().sort())
  })
})

/** Folders whose files do not import each other, but only rooms below them. */
test.each([
  ['a service', services()],
  ['a route', filesIn('src/gateway/routes').filter((file) => !/\/(all|deps)\.ts$/.test(file))],
  ['a view', filesIn('src/gateway/views').filter((file) => !file.endsWith('/all.ts'))],
  ['a task', filesIn('services/tasks').filter((file) => !file.endsWith('/all.ts'))],
])('%s imports no other', (_name, files) => {
  expect(files.length).toBeGreaterThan(0)
  expect(forbidden(files, (imported) => !files.includes(imported))).toEqual([])
})

function services(): string[] {
  return FILES.filter((file) => /^services\/[^/]+$/.test(file))
}

test('SQL is written in the store alone', () => {
  const SQL = /\bsql`|\bsql<|\bimport\b[^'"]*['"](?:pg|kysely)['"]|\.query\(/
  const elsewhere = FILES.filter((file) => !isIn('src/store')(file)).filter((file) =>
    SQL.test(withoutComments(readFileSync(join(CHECKOUT, file), 'utf8'))),
  )
  expect(elsewhere).toEqual([])
})

test("of what serves requests, only the check of sellers' tokens calls another system by itself", () => {
  const CALL =
    /(?<![.\w])fetch\(|\b(https?|net|tls)\.(request|get|connect)\(|\b(createConnection|createRemoteJWKSet)\(|new (Web)?Socket\(|restate-sdk-clients/
  const callers = FILES.filter((file) =>
    ['services', 'src/store', 'src/admission', 'src/gateway'].some((room) => isIn(room)(file)),
  ).filter((file) => CALL.test(withoutComments(readFileSync(join(CHECKOUT, file), 'utf8'))))
  expect(callers).toEqual(['src/gateway/access/seller-tokens.ts'])
})

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
}

test('the libraries of metrics and traces are imported in one place each', () => {
  const importersOf = (library: RegExp) => FILES.filter((file) => importsOf(file).some((name) => library.test(name)))
  for (const file of importersOf(/^prom-client/)) expect(file).toMatch(/^src\/main\/metrics\//)
  const TRACING = /^src\/(main\/tracing\/|gateway\/http\/tracing\.ts|ingress\/trace-headers\.ts)/
  for (const file of importersOf(/opentelemetry/)) expect(file).toMatch(TRACING)
})

test('no files import each other in a circle', () => {
  expect(circlesOf(new Map(FILES.map((file) => [file, new Set(importsOf(file).filter(isOurs))])))).toEqual([])
})

test('no folders import each other in a circle', () => {
  const edges = new Map<string, Set<string>>()
  for (const file of FILES) {
    const known = edges.get(dirname(file)) ?? new Set()
    for (const imported of importsOf(file).filter(isOurs)) if (dirname(imported) !== dirname(file)) known.add(dirname(imported))
    edges.set(dirname(file), known)
  }
  expect(circlesOf(edges)).toEqual([])
})

/** Each circle once, as the names along it. */
function circlesOf(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const circles: string[] = []
  const finished = new Set<string>()
  const visit = (node: string, path: string[]) => {
    const start = path.indexOf(node)
    if (start >= 0) circles.push([...path.slice(start), node].join(' → '))
    if (start >= 0 || finished.has(node)) return
    for (const next of edges.get(node) ?? []) visit(next, [...path, node])
    finished.add(node)
  }
  for (const node of edges.keys()) visit(node, [])
  return circles
}
