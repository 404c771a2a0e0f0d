import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CHECKOUT } from '../../main/config/checkout.ts'
import { configurationReference } from './configuration.ts'

/** npm run docs: writes what is generated of the documentation; npm formats it afterwards. */
await writeFile(join(CHECKOUT, 'docs', 'configuration.md'), configurationReference())
