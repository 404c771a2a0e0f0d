#!/usr/bin/env node
// The only file of plain JavaScript: an older Node must be able to read it to be told that it is too old.
import { existsSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 24
const cli = new URL('../cli/program.ts', import.meta.url)

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  console.error(
    `Footfall needs Node ${NODE_MAJOR_MIN} and was started with ${process.version}: run npm ci in the checkout, which installs it, and start with npm start or ./footfall.`,
  )
  process.exitCode = 1
} else if (!existsSync(fileURLToPath(cli))) {
  console.error('Footfall runs from its checkout; this package is its contract, for calling it.')
  process.exitCode = 1
} else {
  // A third less to wait for every command, and for the processes that it starts. In the checkout, where nobody else writes.
  const cache = fileURLToPath(new URL('../../node_modules/.cache/footfall', import.meta.url))
  process.env.NODE_COMPILE_CACHE ??= cache
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE)
  await import(cli.href)
}
