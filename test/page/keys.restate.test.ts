import { expect } from 'vitest'
import { gatewayTest as test } from '../harness/fixtures.ts'

test('a key is made, shown once, and revoked by forms', async ({ gateway }) => {
  let key: string | undefined
  const headers = () => ({ origin: gateway.url, ...(key !== undefined && { authorization: `Bearer ${key}` }) })
  const submit = (form: Record<string, string>) =>
    fetch(`${gateway.url}/keys`, { method: 'POST', headers: headers(), body: new URLSearchParams(form), redirect: 'manual' })
  const page = async (path: string) => (await fetch(gateway.url + path, { headers: headers() })).text()

  expect(await page('/keys')).toContain('There are no keys')
  const wrong = await submit({ action: 'create', name: 'ada' })
  expect([wrong.status, await wrong.text()]).toEqual([422, expect.stringContaining('Nothing was changed: ')])

  const made = await submit({ action: 'create', name: 'ada & <co>', read: 'true', manage: 'true', ingest: 'true' })
  const text = await made.text()
  expect(made.status).toBe(200)
  expect(text).toContain('The new key of ada &amp; &lt;co>')
  const secrets = text.match(/ff_[0-9a-f]{12}_[0-9a-f]{64}/g)!
  expect(secrets).toHaveLength(1)
  key = secrets[0]!
  // The gateway reads its keys again within a second.
  await expect.poll(async () => (await fetch(`${gateway.url}/keys`, { redirect: 'manual' })).status, { timeout: 5_000 }).toBe(303)

  const seller = await submit({ action: 'create', name: 'shop', read: 'true', seller_id: 'north-light' })
  const sellerKey = /ff_[0-9a-f]{12}_[0-9a-f]{64}/.exec(await seller.text())![0]
  const asSeller = (path: string) =>
    fetch(gateway.url + path, { headers: { authorization: `Bearer ${sellerKey}` }, redirect: 'manual' })
  await expect.poll(async () => (await asSeller('/sellers/north-light')).status).toBe(200)
  const home = await asSeller('/')
  expect([home.status, home.headers.get('location')]).toEqual([303, '/sellers/north-light'])
  expect((await asSeller('/sellers/other')).status).toBe(403)
  expect((await asSeller('/keys')).headers.get('location')).toBe('/sellers/north-light')
  expect(await (await asSeller('/sellers/north-light')).text()).not.toContain('href="/keys"')

  const list = await page('/keys')
  expect(list).not.toContain(key)
  expect(list).toContain('seller north-light')
  const revoked = await submit({ action: 'revoke', id: sellerKey.split('_')[1]! })
  expect([revoked.status, revoked.headers.get('location')]).toEqual([303, '/keys?done=revoked'])
  expect(await page('/keys?done=revoked')).toContain('The key is revoked.')
})
