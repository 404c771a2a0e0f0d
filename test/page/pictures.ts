import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Browser } from 'playwright-core'
import { until } from '../../src/main/embedded/until.ts'
import { findChromium } from '../harness/clients/chromium.ts'
import { type Look, openView, startBrowser } from '../harness/clients/page-browser.ts'
import { CHECKOUT, startCommandProcess } from '../harness/programs/command-process.ts'
import { startProgram } from '../harness/programs/program.ts'

/**
 * Starts Footfall in a new folder, plays the demo on it, and takes the picture of the README, docs/hot-now.png. With `--all FOLDER` it takes
 * pictures of every view instead, in light and dark and in three widths, for people who change how the page looks.
 */
const { values } = parseArgs({
  options: { all: { type: 'string' }, seconds: { type: 'string', default: '75' }, only: { type: 'string', default: '' } },
})

const WIDTHS = [360, 1_280, 3_840]
/** The README shows it at half its size. */
const README_LOOK = { width: 1_280, height: 720 }
/** How long a chart needs until it is drawn, and the first update of a live view. */
const DRAWN_MS = 700
const VERIFICATION_MS_MAX = 120_000

const executable = findChromium()
if (executable === undefined) throw new Error('There is no Chromium here: install one, or name it in CHROMIUM_PATH.')
const program = await startProgram()
const gateway = program.urlOf('GATEWAY_PORT')
const demo = startCommandProcess(['demo'], program.environment)
const browser = await startBrowser(executable)
try {
  await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1_000))
  await verify()
  if (values.all === undefined) await takePicture(browser, '/', README_LOOK, join(CHECKOUT, 'docs', 'hot-now.png'))
  else await takeAll(browser, values.all)
} finally {
  await browser.close()
  demo.child.kill('SIGINT')
  await demo.ended
  await program.stop()
}

/** So that the header has a proof. */
async function verify(): Promise<void> {
  await fetch(`${gateway}/api/v1/verifications`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })
  const isProved = async () => {
    const { data } = (await (await fetch(`${gateway}/api/v1/verifications/latest`)).json()) as { data: object | null }
    return data !== null
  }
  if (!(await until(isProved, VERIFICATION_MS_MAX))) throw new Error('the verification did not end')
}

async function takeAll(browser: Browser, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, path] of Object.entries(await paths())) {
    if (!new RegExp(values.only).test(name)) continue
    for (const width of WIDTHS) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await takePicture(browser, path, { width, colorScheme }, join(folder, `${name}-${width}-${colorScheme}.png`))
      }
    }
  }
}

/** Every view of the header, and those that a link in a view leads to. */
async function paths(): Promise<Record<string, string>> {
  const page = await (await fetch(gateway, { headers: { accept: 'text/html' } })).text()
  const nav = /<nav.*?<\/nav>/s.exec(page)![0]
  const inHeader = [...nav.matchAll(/href="(\/[^"]*)"/g)].map(([, path]) => path!)
  const { data } = (await (await fetch(`${gateway}/api/v1/products/popular?limit=1`)).json()) as {
    data: { product_id: string }[]
  }
  const sellers = (await (await fetch(`${gateway}/api/v1/sellers?limit=1`)).json()) as { data?: { seller_id: string }[] }
  const named = inHeader.map((path) => [path === '/' ? 'hot-now' : path.slice(1).replaceAll('/', '-'), path])
  return {
    ...(Object.fromEntries(named) as Record<string, string>),
    ...(data[0] !== undefined && { product: `/product/${encodeURIComponent(data[0].product_id)}` }),
    ...(sellers.data?.[0] !== undefined && { seller: `/sellers/${encodeURIComponent(sellers.data[0].seller_id)}` }),
  }
}

async function takePicture(browser: Browser, path: string, look: Look & { height?: number }, file: string): Promise<void> {
  const { page, close } = await openView(browser, gateway + path, look)
  if (look.height !== undefined) await page.setViewportSize({ width: look.width!, height: look.height })
  await page.waitForTimeout(DRAWN_MS)
  await page.screenshot({ path: file, fullPage: look.height === undefined })
  await close()
  console.log(file)
}
