import { describe, expect } from 'vitest'
import { createApiKey, revokeApiKey } from '../../src/store/access/api-key.ts'
import { until } from '../../src/main/embedded/until.ts'
import { findChromium } from '../harness/clients/chromium.ts'
import { axeProblems, openView, startBrowser } from '../harness/clients/page-browser.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import { storeShop } from '../harness/items/shop-with-history.ts'

const CHROMIUM = findChromium()
if (CHROMIUM === undefined) console.warn('There is no Chromium here: install one, or name it in CHROMIUM_PATH.')

const PLAIN = { isPublishable: false, origins: [], sellerId: null, requestsPerMinute: null }

const test = gatewayTest
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
    const browser = await startBrowser(CHROMIUM!)
    onCleanup(() => browser.close())
    return browser
  })
  .extend('keys', { scope: 'file' }, async ({ db, gateway }) => {
    await storeShop(db)
    const make = (name: string, scopes: readonly ('ingest' | 'read' | 'manage')[], more = {}) =>
      createApiKey(db, { ...PLAIN, name, scopes, ...more })
    const keys = {
      merchandiser: await make('merchandiser', ['read']),
      operator: await make('operator', ['read', 'manage']),
      sender: await make('sender', ['ingest']),
      seller: await make('seller one', ['read'], { sellerId: 's1' }),
    }
    // The gateway reads the keys once a second.
    const asksForKey = async () => (await fetch(`${gateway.url}/api/v1/about`)).status === 401
    if (!(await until(asksForKey, 30_000))) throw new Error('the gateway does not know the keys after 30 s')
    return keys
  })

describe.skipIf(CHROMIUM === undefined)('a browser', () => {
  test.for(['light', 'dark'] as const)(
    'is led to a form that everyone can use: %s',
    async (colorScheme, { browser, gateway, keys }) => {
      expect(keys).toBeDefined()
      const { page, problems, close } = await openView(browser, `${gateway.url}/searches?days=1`, { colorScheme })
      expect(page.url()).toBe(`${gateway.url}/sign-in?next=%2Fsearches%3Fdays%3D1`)
      expect(await axeProblems(page)).toEqual([])
      expect(problems).toEqual([])
      await close()
    },
  )

  test('signs in with a key, sees where it wanted to go, and signs out', async ({ browser, gateway, keys }) => {
    const { page, problems, close } = await openView(browser, `${gateway.url}/searches?days=1`)
    await page.fill('#key', keys.operator.text)
    await page.keyboard.press('Enter')
    await page.waitForURL(`${gateway.url}/searches?days=1`)
    expect(await page.textContent('.caller')).toContain('operator')
    expect(await axeProblems(page)).toEqual([])
    await page.click('text=Sign out')
    await page.waitForURL(/sign-in/)
    await page.goto(`${gateway.url}/`)
    expect(page.url()).toBe(`${gateway.url}/sign-in`)
    expect(problems).toEqual([])
    await close()
  })

  test('is told that a key is wrong', async ({ browser, gateway, keys }) => {
    const { page, close } = await openView(browser, gateway.url)
    await page.fill(
      '#key',
      keys.operator.text.replace(/.$/, (last) => (last === 'x' ? 'y' : 'x')),
    )
    await page.keyboard.press('Enter')
    await page.waitForSelector('[role=alert]:text("The key is not known, or was revoked.")')
    await close()
  })

  test('sees the views of its scopes alone', async ({ browser, gateway, keys }) => {
    const viewsOf = async (key: string) => {
      const { page, close } = await openView(browser, gateway.url)
      await page.fill('#key', key)
      await page.keyboard.press('Enter')
      await page.waitForURL((url) => url.pathname !== '/session' && url.pathname !== '/sign-in')
      const labels = await page.$$eval('#views a', (links) => links.map((link) => link.textContent))
      const text = (await page.textContent('body'))!
      const { pathname } = new URL(page.url())
      await close()
      return { labels, text, pathname }
    }
    const merchandiser = await viewsOf(keys.merchandiser.text)
    expect(merchandiser.labels).toContain('Products')
    expect(merchandiser.labels).not.toContain('Searches')
    expect(merchandiser.text).not.toContain('Searched without finding')
    expect((await viewsOf(keys.operator.text)).text).toContain('Searched without finding')
    const sender = await viewsOf(keys.sender.text)
    expect(sender.labels).toEqual([])
    expect(sender.text).toContain('The key does not have the scope read.')
    expect(await viewsOf(keys.seller.text)).toMatchObject({ labels: [], pathname: '/sellers/s1' })
  })

  test('is signed out when its key is revoked, by the next update', async ({ browser, gateway, keys, db }) => {
    const { page, close } = await openView(browser, gateway.url)
    await page.fill('#key', keys.merchandiser.text)
    await page.keyboard.press('Enter')
    await page.waitForSelector('h2:text("Trending products")')
    await revokeApiKey(db, keys.merchandiser.keyId)
    await page.waitForURL(`${gateway.url}/sign-in`)
    await close()
  })
})
