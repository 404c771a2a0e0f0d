import { describe, expect } from 'vitest'
import { findChromium } from '../harness/clients/chromium.ts'
import { openView, startBrowser } from '../harness/clients/page-browser.ts'
import { pgTest } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { saleLine, storeSales } from '../harness/items/sales.ts'
import { idOf, storeShop } from '../harness/items/shop-with-history.ts'
import { startGateway } from '../harness/servers/gateway.ts'

const CHROMIUM = findChromium()
if (CHROMIUM === undefined) console.warn('There is no Chromium here: install one, or name it in CHROMIUM_PATH.')

const test = pgTest
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
    const browser = await startBrowser(CHROMIUM!)
    onCleanup(() => browser.close())
    return browser
  })
  .extend('gateway', { scope: 'file' }, async ({ database }, { onCleanup }) => {
    await storeShop(database.db)
    const sold = { sellerId: 's0', productId: 'p02', occurredAtMs: Date.now() }
    await storeSales(database.db, [
      saleLine({ ...sold, amount: 4_990 }),
      saleLine({ ...sold, amount: 1_500, currency: 'JPY', orders: 0 }),
    ])
    const gateway = await startGateway(database.url, { ingressUrl: 'http://127.0.0.1:1' })
    onCleanup(gateway.stop)
    return gateway
  })

const rowOf = (productId: string) => `tr[id="row-${productId}"]`

interface Noted {
  fetchedMs: number[]
}

/** Runs in the page before its scripts, and notes when they fetch. */
function noteFetches(): void {
  const noted = globalThis as unknown as Noted
  noted.fetchedMs = []
  const { fetch } = globalThis
  globalThis.fetch = (...request) => {
    noted.fetchedMs.push(Date.now())
    return fetch(...request)
  }
}

describe.skipIf(CHROMIUM === undefined)('Hot now', () => {
  test('follows the counts, and the focus stays on a product that climbs', async ({ browser, gateway, db }) => {
    const { page, problems, close } = await openView(browser, `${gateway.url}/?mode=overall`)
    const climber = (await page.getAttribute('.panel tbody tr:nth-child(9)', 'id'))!.replace('row-', '')
    await page.focus(`${rowOf(climber)} a`)
    for (const update of [1, 2, 3]) {
      await recordAndCount(
        db,
        Array.from({ length: 20 }, () => interaction({ refId: climber, eventType: 'purchase' })),
      )
      await page.waitForFunction(
        ([selector, count]) => document.querySelector(`${selector} td:nth-last-child(2) data`)?.getAttribute('value') === count,
        [rowOf(climber), String(20 * update)] as const,
      )
      expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(`Product ${Number(climber.slice(1))}`)
    }
    expect(await page.getAttribute('.panel tbody tr:nth-child(1)', 'id')).toBe(`row-${climber}`)
    expect(problems).toEqual([])
    await close()
  })

  test('asks less often while no answer comes, and says so', async ({ browser, gateway }) => {
    const { page, close } = await openView(browser, gateway.url)
    await page.clock.install()
    await page.addInitScript(noteFetches)
    await page.reload()
    const fetches = () => page.evaluate(() => (globalThis as unknown as Noted).fetchedMs)
    await page.route('**/*', (route) => route.abort())
    while ((await fetches()).length < 4) await page.clock.runFor(1_000)
    const [first = 0, second = 0, third = 0, fourth = 0] = await fetches()
    expect(second - first).toBeGreaterThanOrEqual(4_000)
    expect(third - second).toBeGreaterThanOrEqual(8_000)
    expect(fourth - third).toBeGreaterThanOrEqual(16_000)
    await page.waitForSelector('#live-status:text("The server does not answer")', { state: 'attached' })
    expect(await page.textContent('#last-answer')).toMatch(/^Last answer \d+ s ago$/)
    await page.unroute('**/*')
    await page.clock.runFor(32_000)
    await page.waitForSelector('#live-status:text("The server answers again.")', { state: 'attached' })
    await close()
  })

  test('stands still while it is paused', async ({ browser, gateway }) => {
    const { page, close } = await openView(browser, gateway.url)
    await page.clock.install()
    await page.reload()
    await page.click('#pause')
    expect(await page.textContent('#live-status')).toBe('Updates are paused.')
    const requests: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    await page.clock.runFor(60_000)
    expect(requests).toEqual([])
    await Promise.all([page.waitForRequest(`${gateway.url}/`), page.click('#pause')])
    expect(await page.textContent('#live-status')).toBe('Updates go on.')
    await close()
  })

  test('has its filters in its address, with and without JavaScript', async ({ browser, gateway }) => {
    for (const javaScriptEnabled of [true, false]) {
      const { page, close } = await openView(browser, gateway.url, { javaScriptEnabled })
      await page.selectOption('select[name=mode]', 'most_viewed')
      if (!javaScriptEnabled) await page.click('.filters button')
      await page.waitForURL(/mode=most_viewed/)
      await page.waitForSelector('h2:text("Most viewed products")')
      await page.goBack()
      await page.waitForSelector('h2:text("Trending products")')
      await expect.poll(() => page.inputValue('select[name=mode]')).toBe('trending')
      await page.goForward()
      await page.waitForSelector('h2:text("Most viewed products")')
      await expect.poll(() => page.inputValue('select[name=mode]')).toBe('most_viewed')
      await close()
    }
  })

  test('is left by one step back, also when its form was sent twice', async ({ browser, gateway }) => {
    const { page, close } = await openView(browser, gateway.url)
    await page.selectOption('select[name=mode]', 'most_viewed')
    await page.waitForURL(/mode=most_viewed/)
    const entries = () => page.evaluate(() => history.length)
    const before = await entries()
    const sentAgain = page.waitForResponse(/mode=most_viewed/)
    const updated = page.evaluate(
      () => new Promise((resolve) => document.addEventListener('htmx:after:history:update', () => resolve(null), { once: true })),
    )
    await page.click('.filters button')
    await Promise.all([sentAgain, updated])
    expect(await entries()).toBe(before)
    await page.goBack()
    await page.waitForSelector('h2:text("Trending products")')
    await close()
  })

  test('is operated by keys: / leads to the search, and Tab first to its content', async ({ browser, gateway }) => {
    const { page, close } = await openView(browser, gateway.url)
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content')
    await page.keyboard.press('/')
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('search')
    await page.keyboard.type('lamp')
    await page.keyboard.press('Enter')
    await page.waitForURL(`${gateway.url}/products?query=lamp`)
    await close()
  })

  test('shows numbers in the form of the browser', async ({ browser, gateway, db }) => {
    await recordAndCount(
      db,
      Array.from({ length: 1_200 }, () => interaction({ refId: idOf(0) })),
    )
    const { page, close } = await openView(browser, `${gateway.url}/?mode=most_viewed`)
    expect(await page.textContent(`${rowOf(idOf(0))} td:nth-of-type(5)`)).toMatch(/^1,2\d\d$/)
    await close()
  })
})

describe.skipIf(CHROMIUM === undefined)('a chart', () => {
  test('is drawn again in the currency that is chosen, with its decimals', async ({ browser, gateway }) => {
    const { page, problems, close } = await openView(browser, `${gateway.url}/sellers/s0`)
    const legend = async () => {
      // The last day, today, is at the right end.
      const { width, height } = (await page.locator('.u-over').first().boundingBox())!
      await page
        .locator('.u-over')
        .first()
        .hover({ position: { x: width - 2, y: height / 2 } })
      return page.locator('.u-legend').first().locator('.u-series').nth(1).locator('.u-value').textContent()
    }
    expect(await legend()).toBe('€49.90')
    await page.selectOption('select[name=currency]', 'JPY')
    await page.waitForSelector('figure[data-currency=JPY]', { state: 'attached' })
    await expect.poll(legend, { timeout: 5_000 }).toBe('¥1,500')
    expect(await page.locator('.u-legend').count()).toBe(await page.locator('figure').count())
    expect(problems).toEqual([])
    await close()
  })

  test('keeps its numbers open when a filter changes, and is drawn again in the colours of another theme', async ({
    browser,
    gateway,
  }) => {
    const { page, close } = await openView(browser, `${gateway.url}/sellers/s0`)
    await page.locator('figure summary').first().click()
    await page.selectOption('select[name=currency]', 'JPY')
    await page.waitForSelector('figure[data-currency=JPY]', { state: 'attached' })
    expect(await page.locator('figure details').first().getAttribute('open')).toBe('')
    await page.evaluate(() => document.querySelector('.uplot')!.setAttribute('data-before', ''))
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.waitForFunction(() => document.querySelector('.uplot[data-before]') === null)
    expect(await page.locator('.uplot').count()).toBe(await page.locator('figure').count())
    await close()
  })
})

describe.skipIf(CHROMIUM === undefined).each([true, false])('filters, with JavaScript: %s', (javaScriptEnabled) => {
  test('are in the address when they are set, and only then', async ({ browser, gateway }) => {
    const { page, close } = await openView(browser, `${gateway.url}/products`, { javaScriptEnabled })
    await page.fill('#filter-category', 'none')
    await page.press('#filter-category', 'Enter')
    await page.waitForURL(`${gateway.url}/products?category=none`)
    await close()
  })
})
