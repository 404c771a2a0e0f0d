import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const CHECKOUT = join(import.meta.dirname, '..', '..')
/** Imports a file, and prints the packages of all modules that this loads. */
const LIST = `
import { registerHooks } from 'node:module'
const loaded = new Set()
registerHooks({ load: (url, context, next) => (loaded.add(url), next(url, context)) })
await import(process.argv[1])
const packages = [...loaded].map((url) => /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1] ?? '')
console.log(JSON.stringify([...new Set(packages)].filter((name) => name !== '').sort()))
process.exit()`

async function packagesOf(file: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', LIST, join(CHECKOUT, file)])
  return JSON.parse(stdout) as string[]
}

// They stay in memory for as long as it runs, and no schema, query builder or server is worth that.
test('the supervisor loads no package but commander and the client of PostgreSQL', async () => {
  const packages = await packagesOf('src/cli/commands/start.ts')
  expect(packages.filter((name) => !/^(?:pg|postgres)(?:-|$)/.test(name))).toEqual(['commander', 'xtend'])
})

test('the guard loads no package', async () => {
  expect(await packagesOf('src/main/guard/guarded-server.ts')).toEqual([])
})
