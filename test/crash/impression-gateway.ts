import { setTimeout as sleep } from 'node:timers/promises'
import { createImpressions } from '../../src/gateway/recording/impressions.ts'
import { createRecorderRoom } from '../../src/gateway/recording/recorder-room.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { impression } from '../harness/items/impressions.ts'

/** The impressions of a gateway as a process to be killed: `impression-gateway.ts <ingress url>`. It tells the parent each id before it notes it. */
async function main(url: string): Promise<void> {
  process.on('disconnect', () => process.exit())
  const ingress = createIngress({ url })
  const impressions = createImpressions({
    ingress,
    room: createRecorderRoom({ ingress, bytesMax: 64 * 1024 * 1024 }),
    isOn: true,
    observer: { impressions: () => undefined },
  })
  for (;;) {
    const made = impression()
    process.send?.(made.recommendation_id)
    impressions.note(made)
    await sleep(2)
  }
}

await main(process.argv[2]!)
