import { expect } from 'vitest'
import { createRecording } from '../../src/gateway/recording/ways.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { storeShop } from '../harness/items/shop-with-history.ts'
import { QUEUE_LIMITS, startGateway } from '../harness/servers/gateway.ts'
import { SILENT_OBSERVER } from '../harness/servers/silent-observer.ts'

test('a list that is only previewed is the same, and no impression', async ({ db, database, onTestFinished }) => {
  await storeShop(db)
  const ingress = createIngress({ url: 'http://127.0.0.1:1' })
  let made = 0
  const observer = {
    ...SILENT_OBSERVER,
    impressions: (which: string, count: number) => void (made += which === 'made' ? count : 0),
  }
  const recording = createRecording({ ingress, db, observer, ...QUEUE_LIMITS })
  const gateway = await startGateway(database.url, { ingressUrl: 'http://127.0.0.1:1' }, { recording })
  onTestFinished(gateway.stop)
  const productsOf = async (answer: Response) => {
    expect(answer.status).toBe(200)
    const { data } = (await answer.json()) as { data: { product_id: string }[] }
    return data.map(({ product_id }) => product_id)
  }
  const address = `${gateway.url}/api/v1/recommendations`
  const history = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"history":[]}' }

  const previews = [
    await productsOf(await fetch(`${address}?session_id=shopper-3&preview=true`)),
    await productsOf(await fetch(`${address}?preview=true`, history)),
  ]
  expect(made).toBe(0)
  expect(await productsOf(await fetch(`${address}?session_id=shopper-3`))).toEqual(previews[0])
  expect(await productsOf(await fetch(address, history))).toEqual(previews[1])
  expect(made).toBe(2)
})
