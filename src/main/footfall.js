#!/usr/bin/env node
// The only file of plain JavaScript: an older Node must be able to read it to be told that it is too old.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 24
const cli = new URL('./cli.ts', import.meta.url)

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) {
  console.error(
    `Footfall needs Node ${NODE_MAJOR_MIN} and was started with ${process.version}: run npm ci in the checkout, which brings it, and start with npm start or npx footfall.`,
  )
  process.exitCode = 1
} else if (!existsSync(fileURLToPath(cli))) {
  console.error('Footfall runs from its checkout; this package is its contract, for calling it.')
  process.exitCode = 1
} else {
  await import(cli.href)
}
