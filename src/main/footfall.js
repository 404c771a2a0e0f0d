#!/usr/bin/env node
// Plain JavaScript, so that an older Node can run it and say that it is too old.
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
  // Makes every command, and the processes that it starts, a third faster to start. In the checkout, where only its owner writes.
  const cache = fileURLToPath(new URL('../../node_modules/.cache/footfall', import.meta.url))
  process.env.NODE_COMPILE_CACHE ??= cache
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE)
  await import(cli.href)
}
