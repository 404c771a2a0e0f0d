import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, chromium, type Page } from 'playwright-core'
import { CHROMIUM_FLAGS } from './chromium.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export interface Look {
  colorScheme?: 'light' | 'dark'
  width?: number
  /** Without it the page must show its numbers too. */
  javaScriptEnabled?: boolean
  headers?: Record<string, string>
}

export interface OpenPage {
  page: Page
  /** Errors of scripts, of the policy of the page, and requests that failed. */
  problems: string[]
  /** Bytes over the wire, and requests, until now. */
  traffic: { bytes: number; requests: number }
  close: () => Promise<void>
}

/** A headless Chromium with a profile of its own. */
export function startBrowser(executablePath: string, flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS, ...flags] })
}

/** Opens a view in a profile of its own, and waits until it is shown. */
export async function openView(browser: Browser, url: string, look: Look = {}): Promise<OpenPage> {
  const { colorScheme = 'light', width = 1_280, javaScriptEnabled = true, headers = {} } = look
  const context = await browser.newContext({
    ...{ colorScheme, javaScriptEnabled, locale: 'en-US', timezoneId: 'UTC', extraHTTPHeaders: headers },
    viewport: { width, height: Math.max(640, Math.round(width * 0.6)) },
  })
  const page = await context.newPage()
  const problems: string[] = []
  const traffic = { bytes: 0, requests: 0 }
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text())
  })
  page.on('requestfailed', (request) => problems.push(`${request.url()} ${request.failure()?.errorText}`))
  const network = await context.newCDPSession(page)
  await network.send('Network.enable')
  network.on('Network.loadingFinished', ({ encodedDataLength }) => {
    traffic.bytes += encodedDataLength
    if (encodedDataLength > 0) traffic.requests++
  })
  await page.goto(url, { waitUntil: 'load' })
  return { page, problems, traffic, close: () => context.close() }
}

/** What axe finds wrong, as one line for each element. */
export async function axeProblems(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: () => Promise<AxeResult> } }
    const { violations } = await axe.run()
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`))
  })
}

interface AxeResult {
  violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[]
}

/** By how much a page is wider than its window. */
export function overflowOf(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}

/** The numbers in the cells of the first table of a part, row by row. */
export function numbersIn(page: Page, selector: string): Promise<number[][]> {
  return page.$eval(selector, (part) =>
    [...part.querySelectorAll('tbody tr')].map((row) =>
      [...row.querySelectorAll<HTMLDataElement>('td > data.n')].map(({ value }) => Number(value)),
    ),
  )
}
