import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CHECKOUT } from '../../main/config/checkout.ts'
import { PAGES } from './pages.ts'

/** npm run docs: writes the pages of docs/ that are made from the code. npm formats them afterwards. */
await Promise.all(PAGES.map(async ({ file, render }) => writeFile(join(CHECKOUT, 'docs', file), await render())))
