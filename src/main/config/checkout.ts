import { resolve } from 'node:path'

/** The checkout: the folder of restate.toml and sql/. */
export const CHECKOUT = resolve(import.meta.dirname, '..', '..', '..')
