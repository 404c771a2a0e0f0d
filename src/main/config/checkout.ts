import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The checkout: the folder of restate.toml and sql/. */
export const CHECKOUT = resolve(import.meta.dirname, '..', '..', '..')

/** The version of this Footfall. */
export const { version: VERSION } = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8')) as { version: string }
