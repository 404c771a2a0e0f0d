import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'

/** A style or script of the page. Its name changes with its content, so a browser keeps it for ever. */
export interface Asset {
  name: string
  type: string
  plain: Buffer
  /** Compressed as well as can be, at the first request, because that takes 0.1 s. */
  brotli: () => Promise<Buffer>
  gzip: () => Promise<Buffer>
}

export interface Assets {
  byName: ReadonlyMap<string, Asset>
  /** What each view needs; charts need more. */
  addresses: (hasChart: boolean) => { styles: string[]; scripts: string[] }
}

export const ASSETS_PATH = '/page'

const { resolve } = createRequire(import.meta.url)
const OWN = new URL('../../page/static/', import.meta.url)
/** Later ones go before earlier ones where both say something. */
const STYLES = ['base', 'header', 'view', 'tables', 'forms', 'pictures', 'windows']
const CSS = 'text/css; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'

/** Files of packages as they are, and our own. Those that every view needs are one file each, because every request takes a round trip. */
export function readAssets(): Assets {
  const style = assetOf('page', 'css', [
    fileOf('uplot/dist/uPlot.min.css'),
    Buffer.concat(STYLES.map((part) => ownFile(`css/${part}.css`))),
  ])
  const script = assetOf('page', 'js', [fileOf('htmx.org/dist/htmx.min.js'), ownFile('page.js')])
  const charts = assetOf('charts', 'js', [fileOf('uplot/dist/uPlot.iife.min.js')])
  const addressOf = ({ name }: Asset) => `${ASSETS_PATH}/${name}`
  return {
    byName: new Map([style, script, charts].map((asset) => [asset.name, asset])),
    addresses: (hasChart) => ({
      styles: [addressOf(style)],
      scripts: hasChart ? [addressOf(charts), addressOf(script)] : [addressOf(script)],
    }),
  }
}

function fileOf(name: string): Buffer {
  return readFileSync(resolve(name))
}

/** Without its comments and indents, which a browser has no use for. They are on lines of their own. */
function ownFile(name: string): Buffer {
  const text = readFileSync(new URL(name, OWN), 'utf8')
  return Buffer.from(text.replaceAll(/^\s*(?:\/\*[\s\S]*?\*\/|\/\/.*)\n/gm, '').replaceAll(/^\s+/gm, ''))
}

function assetOf(name: string, extension: 'css' | 'js', parts: readonly Buffer[]): Asset {
  const plain = Buffer.concat(parts.flatMap((part) => [part, Buffer.from('\n')]))
  const hash = createHash('sha256').update(plain).digest('hex').slice(0, 12)
  return {
    name: `${name}-${hash}.${extension}`,
    type: extension === 'css' ? CSS : SCRIPT,
    plain,
    brotli: once(() => promisify(brotliCompress)(plain)),
    gzip: once(() => promisify(gzip)(plain, { level: 9 })),
  }
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}
