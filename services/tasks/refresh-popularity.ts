import { isRisingDue, refreshRising } from '../../src/store/popularity/rising.ts'
import { refreshTrending } from '../../src/store/popularity/trending-window.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const REFRESH_POPULARITY: Task = {
  description:
    'drops from trending what left its window, and computes what rises: every 30 minutes, and every minute while the shop is new',
  everyMs: 60_000,
  isOn: () => true,
  run: async ({ background }, ctx) => {
    await step(ctx, 'move the trending window', async () => {
      if (await isRisingDue(background)) await refreshTrending(background)
    })
    const nowMs = await ctx.date.now()
    await step(ctx, 'compute what rises', async () => {
      if (await isRisingDue(background)) await refreshRising(background, nowMs)
    })
  },
}
