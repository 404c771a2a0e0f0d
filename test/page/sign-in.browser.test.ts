import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { createKeyRing } from '../../src/gateway/access/key-ring.ts'
import { createSellerTokens } from '../../src/gateway/access/seller-tokens.ts'
import { createSessionRing } from '../../src/gateway/access/session-ring.ts'
import { createApiKey, revokeApiKey } from '../../src/store/access/api-key.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { until } from '../../src/main/embedded/until.ts'
import { findChromium } from '../harness/clients/chromium.ts'
import { claimsOf, makeSigningKey, sign, startTokenIssuer } from '../harness/clients/token-issuer.ts'
import { axeProblems, openView, overflowOf, startBrowser } from '../harness/clients/page-browser.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import { storeShop } from '../harness/items/shop-with-history.ts'
import { SETTINGS, startGateway } from '../harness/servers/gateway.ts'
import { startTlsProxy } from '../harness/servers/tls-proxy.ts'

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

function accessOf(db: Database) {
  return {
    keys: createKeyRing(db, () => undefined),
    sellerOfToken: undefined,
    sessionOf: createSessionRing(db, () => undefined),
    noteUse: () => undefined,
  }
}

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
    // The table of keys and sessions, which is empty without keys.
    await page.goto(`${gateway.url}/keys`)
    expect(await page.$$eval('#keys tbody tr', (rows) => rows.length)).toBeGreaterThanOrEqual(4)
    expect(await axeProblems(page)).toEqual([])
    for (const width of [360, 1_280, 3_840]) {
      await page.setViewportSize({ width, height: 800 })
      expect(await overflowOf(page)).toBeLessThanOrEqual(0)
    }
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

  test('is signed out when its session has expired, by the next update', async ({ browser, gateway, keys, db }) => {
    const { page, close } = await openView(browser, gateway.url)
    await page.fill('#key', keys.operator.text)
    await page.keyboard.press('Enter')
    await page.waitForSelector('h2:text("Trending products")')
    await sql`update access.session set expires_at = now() - interval '1 s' where key_id = ${keys.operator.keyId}`.execute(db)
    await page.waitForURL(`${gateway.url}/sign-in`)
    await close()
  })

  test('signs in with the token of a seller, which no address may have', async ({ browser, database, db, stack, keys }) => {
    expect(keys).toBeDefined()
    const [issuer, key] = [await startTokenIssuer(), await makeSigningKey('first')]
    issuer.publish(key)
    const access = { ...accessOf(db), sellerOfToken: createSellerTokens(issuer.settings, () => undefined) }
    const gateway = await startGateway(database.url, stack, { access })
    const token = await sign(key, claimsOf(issuer, 's1'))
    const { page, close } = await openView(browser, gateway.url)
    const ofAddress = (await page.goto(`${gateway.url}/sellers/s1?token=${token}`))!
    expect([ofAddress.status(), await page.content()]).toEqual([403, expect.not.stringContaining('Revenue')])
    await page.goto(gateway.url)
    await page.fill('#key', token)
    await page.keyboard.press('Enter')
    await page.waitForURL(`${gateway.url}/sellers/s1`)
    expect(await page.$$('#views a')).toEqual([])
    expect(await axeProblems(page)).toEqual([])
    await close()
    await gateway.stop()
    await issuer.stop()
  })

  test('signs in at a gateway behind a proxy that speaks TLS', async ({ database, db, stack, keys }) => {
    const settings = { ...SETTINGS, isPublic: true, trustedProxies: '127.0.0.1' }
    const gateway = await startGateway(database.url, stack, { access: accessOf(db), settings })
    const proxy = await startTlsProxy(gateway.url)
    const browser = await startBrowser(CHROMIUM!, [
      '--host-resolver-rules=MAP shop.example 127.0.0.1',
      '--ignore-certificate-errors',
    ])
    const url = `https://shop.example:${proxy.port}`
    const { page, problems, close } = await openView(browser, `${url}/searches`)
    await page.fill('#key', keys.operator.text)
    await page.keyboard.press('Enter')
    await page.waitForURL(`${url}/searches`)
    const cookies = await page.context().cookies()
    expect(cookies).toMatchObject([{ name: '__Host-footfall', secure: true, httpOnly: true, sameSite: 'Strict' }])
    expect(problems).toEqual([])
    await close()
    await browser.close()
    await proxy.stop()
    await gateway.stop()
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
