import { rpc } from '@restatedev/restate-sdk'
import { verificationRunApi } from '../../src/contract/services.ts'
import { lastHourOfDay } from '../../src/ranking/day.ts'
import { requestDueVerification } from '../../src/store/proof/run-due.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const VERIFY_DAILY: Task = {
  description: 'verifies every number once a day, from `VERIFY_HOUR` on; never when that is not set',
  everyMs: 60_000,
  isOn: () => true,
  run: async ({ background, verifyHour }, ctx, slot) => {
    if (verifyHour === undefined) return
    const runId = ctx.rand.uuidv4()
    const since = lastHourOfDay(verifyHour, slot)
    if (await step(ctx, 'request a verification that is due', () => requestDueVerification(background, runId, since))) {
      ctx.sendClient(verificationRunApi, runId).Execute({}, rpc.sendOpts({ idempotencyKey: runId }))
    }
  },
}
